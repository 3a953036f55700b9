/*
 * A WebSocket client of the benchmark: non-blocking, many to a process, as cheap as can be, since it
 * shares the machine with the server that is measured. What it says after the upgrade is its dialect.
 *
 * What goes wrong ends the program: a benchmark with a missing client measures nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "proto/frame.h"
#include "sys/stream.h"
#include "wire.h"

struct client;
struct dialect;
struct inflater;
struct tls_context;

enum client_role {
	ROLE_SUBSCRIBER,
	ROLE_PUBLISHER,
	ROLE_CALLER,
	ROLE_PROVIDER, /* of the method bench.echo */
	ROLE_COUNT
};

/* Called while the client reads; they may send, and must not close it. */
struct client_handlers {
	/* A payload that was published came; valid during the call. */
	void (*on_delivery)(struct client *client, struct span payload);
	/* A request was answered, or what the publisher said: `ok` is whether as wished. */
	void (*on_answer)(struct client *client, uint64_t id, bool ok);
};

/* What all clients of a run have in common. */
struct client_group {
	int epoll_fd;
	uint16_t port;
	size_t size;		   /* of a payload, in bytes */
	struct inflater *inflater; /* NULL: permessage-deflate is not offered */
	struct tls_context *tls;   /* NULL: without TLS */
	const struct dialect *dialect;
	const struct client_handlers *handlers;
	void *owner;	 /* for the handlers */
	uint64_t now_ns; /* when the bytes that are being handled were read */
	uint64_t wire_bytes, pings;
	unsigned ready;	  /* clients that are */
	unsigned deflate; /* clients that the server granted it */
	unsigned opened;
	int receive_bytes; /* SO_RCVBUF of those that are opened from now on; 0: the system's */
};

enum client_state { CLIENT_UPGRADING, CLIENT_GREETING, CLIENT_READY };

struct client {
	struct client_group *group;
	struct stream socket;
	enum client_role role;
	enum client_state state;
	bool wants_write;
	bool has_joined; /* a probe reached it */
	struct buf out;
	struct buf head;   /* the response to the upgrade */
	struct buf stream; /* of dialects whose packets need not end where messages do */
	struct wire wire;
	uint64_t next;	  /* the number of the next event, or request */
	uint64_t seen;	  /* bit i: event next - 1 - i came */
	uint64_t *due_ns; /* of requests under way, by number; 0: none */
	unsigned in_flight;
	char conn_id[9]; /* as the server calls it; "": it has no such name */
	int worker;	 /* that it is on, once that was asked; -1: not yet */
};

/* Connects to 127.0.0.1, asks for the upgrade and goes on by itself until it is ready. */
void client_open(struct client *client, struct client_group *group, enum client_role role);

/* Queues one message for client_flush. */
void client_send(struct client *client, enum ws_opcode opcode, struct span payload);

/* Sends what is queued, now and when the socket takes it. */
void client_flush(struct client *client);

/* Handles what epoll said. */
void client_on_event(struct client *client, uint32_t events);

/* Never reads again, so that the server has to do without it. */
void client_stop_reading(struct client *client);

/* Resets the connection, so that no port stays occupied, and frees the buffers. */
void client_close(struct client *client);

/* What a dialect has understood. */
void client_is_ready(struct client *client);
void client_delivered(struct client *client, struct span payload);
void client_answered(struct client *client, uint64_t id, bool ok);

/* Prints a reason and ends the program with status 1. */
void bench_die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
