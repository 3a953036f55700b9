/*
 * Accepting: all workers share the listening sockets, and each looks at how many connections the others
 * have, so that long-lived connections end up evenly spread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "sys/inherit.h"

struct acceptor;
struct gateway;

/*
 * Starts to accept on the listeners that were inherited.  Returns NULL without memory or descriptors; errno
 * says why.
 */
struct acceptor *acceptor_new(struct gateway *gateway, const struct inherit *inherit);

/* Stops accepting and frees it; NULL is allowed.  The listeners stay open. */
void acceptor_free(struct acceptor *acceptor);

/* Looks at the others' counts again; to be called every 100 ms (now_ms: CLOCK_MONOTONIC). */
void acceptor_tick(struct acceptor *acceptor, uint64_t now_ms);
