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
#include <sys/uio.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/span.h"
#include "proto/wsrecv.h"

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

enum { TRAFFIC_PARTS = 3 };

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
 * The bytes of traffic_owed and, behind them, a run, in the order in which they go out, as at most TRAFFIC_PARTS parts,
 * valid until the next call for any traffic. Returns how many; -ENODATA when the frame that is held is lost;
 * -ENOMEM.
 */
int traffic_parts(struct gateway *gateway, const struct traffic *traffic, struct span run,
    struct iovec *ret_parts) must_check;

/*
 * The first `sent` bytes of what is owed, or all where that is less, were sent; `framed` says that they are
 * WebSocket frames. Returns how many of `sent` were none of what was owed.
 */
size_t traffic_settle(struct gateway *gateway, struct traffic *traffic, size_t sent, bool framed);

/* Lets go of the frame that is held, if there is one. */
void traffic_release_held(struct gateway *gateway, struct traffic *traffic);
