/*
 * A WebSocket client of the benchmark: non-blocking, many to a process, as cheap as can be, since it shares
 * the machine with the server that is measured.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "proto/wsrecv.h"

struct client;

/* A message came.  The text is valid during the call. */
typedef void (*client_message_fn)(struct client *client, struct span text);

enum client_state { CLIENT_UPGRADING, CLIENT_GREETING, CLIENT_READY };

struct client {
	int fd;
	int epoll_fd;
	enum client_state state;
	struct buf out;
	struct buf head; /* the response to the upgrade */
	struct wsrecv recv;
	client_message_fn on_message;
	void *owner;
	uint64_t last_seq; /* of the events it got */
	uint64_t number;
	bool wants_write;
};

/*
 * Connects to 127.0.0.1:port, upgrades and sends a hello with this subscription (JSON text).  What goes wrong
 * ends the program: a benchmark with a missing client measures nothing.
 */
void client_open(struct client *client, int epoll_fd, uint16_t port, const char *subscribe,
    client_message_fn on_message, void *owner);

/* Sends one text message. */
void client_send(struct client *client, struct span text);

/* Handles what epoll said.  Returns false when the server closed the connection. */
bool client_on_event(struct client *client, uint32_t events);

/* Closes the socket and frees the buffers. */
void client_close(struct client *client);

/* Prints a reason and ends the program with status 1. */
void bench_die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
