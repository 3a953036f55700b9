/*
 * The ways to give one run of bytes to a whole audience: what a server cannot do cheaper without
 * another way into the kernel.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

enum sender_kind {
	SENDER_EACH,  /* one send for each event and client */
	SENDER_RUN,   /* one send for each client, of all events that are there */
	SENDER_URING, /* the same, and one system call for up to SENDER_BATCH of them */
	SENDER_KINDS,
};

enum { SENDER_BATCH = 1024 };

/* A connected client; the loop's member embeds it. */
struct recipient {
	int fd;
	int slot;	/* in the ring's table of files; -1: none */
	bool is_broken; /* it did not take all: the loop drops it */
};

struct sender;

/* The name on the command line. */
const char *sender_name(enum sender_kind kind);

/* Whether this program was built with what it needs. */
bool sender_is_supported(enum sender_kind kind);

/* Begins, in the thread that is to send; `files` bounds how many recipients there may be. */
struct sender *sender_new(enum sender_kind kind, unsigned files);

/* A client comes, or goes. */
void sender_add(struct sender *sender, struct recipient *recipient);
void sender_remove(struct sender *sender, struct recipient *recipient);

/* Sends all frames, which lie in one piece, to all recipients; it marks those that break. */
void sender_send(
    struct sender *sender, struct recipient **recipients, size_t count, struct span frames);
