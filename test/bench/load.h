/*
 * The clients of a run, their epoll, and the clock of a run: what all modes have in common.
 */
#pragma once

#include <stdint.h>

#include "client.h"
#include "options.h"

/* How long nothing may come before a run is given up. */
#define LOAD_STALL_NS (10 * 1000000000ull)

struct load {
	const struct options *options;
	struct client_group group;
	struct client *clients; /* of the count asked for, the stopped ones behind them */
	unsigned count;		/* of those that were opened */
	struct client publisher;
	uint64_t told_ns; /* when progress was last shown */
	uint64_t told_messages;
};

/* Begins without connecting anybody. */
void load_open(struct load *load, const struct options *options,
    const struct client_handlers *handlers, void *owner);

/* Resets all connections and frees everything. */
void load_close(struct load *load);

/* Opens `count` more clients, at most `at_once` handshakes at a time, and waits for all to be ready. */
void load_connect(struct load *load, enum client_role role, unsigned count, unsigned at_once);

/* Opens the publisher and waits until it is ready. */
void load_connect_publisher(struct load *load);

/* Opens a provider where the publisher would be, and waits until it serves. */
void load_connect_provider(struct load *load);

/* Opens `count` callers, all of them on other workers than the provider. */
void load_connect_elsewhere(struct load *load, unsigned count);

/* Waits for at most timeout_ns for something to come, and handles it. */
void load_turn(struct load *load, uint64_t timeout_ns);

/* Shows a line of progress on a terminal, at most twice a second. */
void load_progress(struct load *load, const char *what, uint64_t messages, uint64_t faults);

/* Takes that line away. */
void load_progress_end(void);
