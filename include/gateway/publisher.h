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

struct answer;
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
 * Answers a client's publication: {"id","seq"} for r 0, with the receipt, which is not read else; for
 * any other result of publisher_publish or publisher_wait the error that it means.
 */
void publisher_answer(const struct answer *to, int r, const struct ring_receipt *receipt);

/*
 * Lets a publication wait, copied.  pending is answered by publisher_answer when it was published or
 * cannot be, or UNAVAILABLE after 2 s; its owner must be NULL and its on_gone publisher_on_gone.  Returns 0,
 * -ENOBUFS when too much waits already, or -ENOMEM; the pending stays the caller's then.
 */
int publisher_wait(struct gateway *gateway, const struct publication *publication,
    struct pending *pending) must_check;
void publisher_on_gone(struct pending *pending);

/* Logs that an event of the gateway's own is lost, and why (a negative errno). */
void publisher_lose(struct gateway *gateway, struct span event, int error);

/* Publishes an event of the gateway's own, which waits as long as it must.  Its loss is logged. */
void publisher_announce(struct gateway *gateway, const struct publication *publication);

/* Tries what waits, answers what waited too long, and wakes the readers.  Once each turn of the loop. */
void publisher_turn(struct gateway *gateway);

/*
 * Wakes the readers if anything was published since they were woken last.  To be called before this
 * process may sleep, since closing connections publish too.
 */
void publisher_wake(struct gateway *gateway);

/* True while something waits. */
bool publisher_is_waiting(const struct publisher *publisher);
