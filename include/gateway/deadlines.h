/*
 * Timeouts of connections.  Each kind has one fixed length and so needs only a list: what is put at
 * the end is due last.  A connection stands on one list at a time, costs no timer of its own, and
 * moving it is four pointer stores.  deadlines_expire is called from the worker's tick.
 */
#pragma once

#include <stdint.h>

#include "base/list.h"
#include "base/macros.h"

enum deadline_kind {
	DEADLINE_HANDSHAKE, /* from accept to hello-ok, or to the end of an HTTP head */
	DEADLINE_IDLE,	    /* between two HTTP requests on one connection */
	DEADLINE_PING,	    /* silence after which the peer is pinged */
	DEADLINE_PONG,	    /* silence after that ping which ends the connection */
	DEADLINE_MESSAGE,   /* from the first byte of a message to its last, once hello is said */
	DEADLINE_CLOSE,	    /* what is left of a connection whose end was begun */
	DEADLINE_KINDS
};

/* Embedded in its owner.  Zero is not a valid state: call deadline_init. */
struct deadline {
	struct list link;
	uint64_t at_ms;
	enum deadline_kind kind;
};

struct deadlines;

/*
 * Called for each deadline that has passed, already taken off its list.  The callback may set it
 * again and may end its owner.
 */
typedef void (*deadline_fn)(struct deadline *deadline);

/*
 * Creates the lists.  length_ms holds DEADLINE_KINDS lengths in milliseconds; on_expired is called
 * for each deadline that passes.  Returns NULL without memory; the caller frees.
 */
struct deadlines *deadlines_new(const uint32_t *length_ms, deadline_fn on_expired);

/* Frees the lists; NULL is allowed.  Deadlines still on them must not be touched afterwards. */
void deadlines_free(struct deadlines *deadlines);

/* Prepares a deadline that stands on no list. */
void deadline_init(struct deadline *deadline);

/* (Re)starts a deadline of this kind, counted from now_ms (CLOCK_MONOTONIC). */
void deadline_set(struct deadlines *deadlines, struct deadline *deadline, enum deadline_kind kind,
    uint64_t now_ms);

/* Takes the deadline off its list, if it stands on one. */
void deadline_clear(struct deadline *deadline);

/*
 * Gives the kinds other lengths, for the deadlines that run, too: each is moved as if it had been set
 * with the new length.
 */
void deadlines_change(struct deadlines *deadlines, const uint32_t *length_ms);

/* Calls on_expired for every deadline that lies at or before now_ms. */
void deadlines_expire(struct deadlines *deadlines, uint64_t now_ms);
