/*
 * The way out of one run of bytes to many connections: a send for each, or io_uring, which takes all of them
 * by one system call.
 *
 *	sender_begin ──▶ sender_send, sender_send, … ──▶ sender_end
 *
 * Which of the two it is the setting gateway.sender says and the kernel allows; a client sees no difference.
 */
#pragma once

#include "base/macros.h"
#include "base/span.h"

struct connection;
struct gateway;

/*
 * The connection took only `sent` bytes of the run, perhaps none: its socket has no room, or it is at its end.
 * Called from sender_send or sender_end; may end this connection, and no other.
 */
typedef void (*sender_fn)(struct connection *connection, size_t sent);

/*
 * Opens the way out that the configuration names, for the calling process alone. Returns 0; -ENOMEM; another
 * -errno where io_uring is asked for by name and is not to be had. In each case sender_close may follow.
 */
int sender_open(struct gateway *gateway) must_check;
void sender_close(struct gateway *gateway);

/* "io_uring" or "send": what it is now. */
const char *sender_name(const struct gateway *gateway);

/*
 * Begins to send a run of whole frames, at least a byte, to about `count` connections. The run must stay until
 * sender_end; on_short is called for every connection that did not take all of it.
 */
void sender_begin(struct gateway *gateway, struct span run, unsigned count, sender_fn on_short);

/* Sends it to the connection, behind what that is owed already; now, or at sender_end at the latest. */
void sender_send(struct gateway *gateway, struct connection *connection);

/* Sends what waits. Nothing is under way any more when it returns. */
void sender_end(struct gateway *gateway);

/*
 * Sends what is queued for the connections on gateway.dirty, as far as that can be done by one system call for many
 * of them. What is left, and what follows from it, is connections_flush's, which is called next.
 */
void sender_push(struct gateway *gateway);
