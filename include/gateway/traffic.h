/*
 * What a connection needs only while bytes of it are under way: input that its handler has not taken, output
 * that the kernel has not taken, a WebSocket message that is not whole.
 *
 * A connection borrows one of these from its worker when the first such byte comes, and returns it when there
 * is none any more, so an idle connection owns no buffer, and one that is served at once uses memory that is
 * warm.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/span.h"
#include "proto/wsrecv.h"
#include "sys/stream.h"

struct gateway;
struct stuck_frame;

struct traffic {
	struct traffic *next;	  /* of the spare ones */
	struct buf in;		  /* what the handler has not taken */
	struct buf out;		  /* what the kernel has not taken */
	uint64_t out_head_left;	  /* bytes of the frame at the head of out that was sent in part */
	struct stuck_frame *held; /* of which the last held_left bytes go before out; or NULL */
	size_t held_left;
	size_t head_scanned; /* of an HTTP head that is still coming */
	struct wsrecv recv;
};

/* An empty one; NULL without memory. To be returned to the same gateway. */
struct traffic *traffic_borrow(struct gateway *gateway);

/* Borrows one into *traffic, where that is NULL. False without memory. */
bool traffic_need(struct gateway *gateway, struct traffic **traffic) must_check;

/* Takes it back, also with bytes in it, which are dropped. NULL is allowed. No frame may be held. */
void traffic_return(struct gateway *gateway, struct traffic *traffic);

/* Frees those that nobody has borrowed. */
void traffic_free_spares(struct gateway *gateway);

/* Whether nothing is under way, so that it can be returned. */
bool traffic_is_over(const struct traffic *traffic);

/* Bytes that are to be sent; 0 for NULL. */
size_t traffic_owed(const struct traffic *traffic);

/* Those of them that are queued behind the frame that is held; 0 for NULL. */
size_t traffic_queued(const struct traffic *traffic);

/*
 * Writes the bytes of traffic_owed, in their order, and then the run, to the stream by one call. Returns how many were
 * taken; -ENODATA when the frame that is held is lost; another -errno. *ret_is_all says whether all were, and the
 * stream owes nothing of them. NULL: there is only the run.
 */
ssize_t traffic_write(struct gateway *gateway, const struct traffic *traffic, struct stream *stream,
    struct span run, bool *ret_is_all) must_check;

/*
 * The first `sent` bytes of what is owed, or all where that is less, were sent; `framed` says that they are
 * WebSocket frames. Returns how many of `sent` were none of what was owed.
 */
size_t traffic_settle(struct gateway *gateway, struct traffic *traffic, size_t sent, bool framed);

/* Lets go of the frame that is held, if there is one. */
void traffic_release_held(struct gateway *gateway, struct traffic *traffic);
