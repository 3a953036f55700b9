/*
 * Publishing into the event ring, from which alone events are delivered, to this worker's clients too.
 *
 * The ring's lock is held for microseconds.  When it is not free within 20 ms (its holder was stopped),
 * publications wait here in order and are tried again each turn of the loop.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/span.h"
#include "bus/ring.h"

struct gateway;
struct pending;
struct publisher;

struct publication {
	struct span event;	 /* a valid name */
	struct span payload;	 /* JSON text; n == 0: none */
	struct span session_key; /* n == 0: none */
	uint32_t flags;		 /* RING_FLAG_… */
};

/* Creates a publisher; NULL without memory. */
struct publisher *publisher_new(void);
void publisher_free(struct publisher *publisher);

/*
 * Publishes now.  Returns 0 and the receipt; -EAGAIN when it has to wait (publisher_wait); -EMSGSIZE when
 * the record is larger than the ring takes; -ENOMEM; -ENOTRECOVERABLE when the segment is unusable.
 */
int publisher_publish(struct gateway *gateway, const struct publication *publication,
    struct ring_receipt *ret) must_check;

/*
 * Lets a publication wait, copied.  pending is answered {"id","seq"} when it was published, or
 * UNAVAILABLE after 2 s; its owner must be NULL and its on_gone publisher_on_gone.  Returns 0,
 * -ENOBUFS when too much waits already, or -ENOMEM; the pending stays the caller's then.
 */
int publisher_wait(struct gateway *gateway, const struct publication *publication,
    struct pending *pending) must_check;
void publisher_on_gone(struct pending *pending);

/* Publishes an event of the gateway's own, which waits as long as it must. */
void publisher_announce(struct gateway *gateway, const struct publication *publication);

/* Tries what waits, and wakes the readers if anything was published.  Once each turn of the loop. */
void publisher_turn(struct gateway *gateway);

/* True while something waits. */
bool publisher_is_waiting(const struct publisher *publisher);

/* Writes the answer to a publisher: {"id":"evt_…","seq":N}. */
struct buf;
void publisher_receipt_write(struct buf *out, const struct ring_receipt *receipt);
