/*
 * Connections that are behind: a slow client costs a number, not a queue.
 *
 * A connection whose socket took less than its audience was sent, or that comes back and resumes,
 * becomes a reader of the ring with a seq of its own. Whenever its socket has drained it is served
 * from there, until it is level with the worker and joins its audience again. Where the ring has
 * overtaken it, it is told by gateway.gap; where it was not once level for slow_consumer_timeout_ms,
 * or the ring overtakes the frame that it is stuck in and stuck_bytes has no room for a copy, it is closed
 * with 1013.
 *
 *	level ──socket takes no more──▶ stuck or waiting ──drained──▶ ready ──level_seq reached──▶ level
 *	resume ──▶ ready, or ahead ──level_seq reached──▶ ready
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "gateway/batch.h"
#include "gateway/connection.h"

struct catchup;
struct gateway;

/* Creates the empty set; NULL without memory. Freed when no connection is left. */
struct catchup *catchup_new(void) must_check;
void catchup_free(struct catchup *catchup);

/*
 * The connection, a member of an audience, stands at `seq` from now on: the next event that it gets
 * is the first one after that which its filter takes. It is served from the next catchup_turn on.
 */
void catchup_begin(struct connection *connection, uint64_t seq);

/*
 * The kernel took `sent` bytes, fewer than all, of the run that the last batch_match gave: the
 * connection holds the frame in which they end and begins to catch up behind that. Its position
 * before the batch was `before`. May end the connection.
 */
void catchup_begin_inside(
    struct connection *connection, const struct batch *batch, size_t sent, uint64_t before);

/* Forgets the connection, if it is catching up. */
void catchup_leave(struct connection *connection);

/* The socket of the connection has drained: it is served in the next turn, if it is catching up. */
void catchup_on_drained(struct connection *connection);

/*
 * Serves those that can be served, one after the other and as far as one turn goes, keeps the frames that the
 * ring is about to overwrite, and drops those that are stuck in one for which there is no room.
 */
void catchup_turn(struct gateway *gateway);

/* Whether another turn could serve somebody, without waiting for a socket or for memory. */
bool catchup_has_work(const struct gateway *gateway);

/* Closes those that were not level for slow_consumer_timeout_ms. */
void catchup_tick(struct gateway *gateway, uint64_t now_ms);

/* The connection's position: the last event that it was sent, or that was passed over for it. */
uint64_t catchup_seq(const struct connection *connection);
