/*
 * The directory of connections: which process holds connection X, and a way to ask it to close X
 * that depends on no room anywhere.
 *
 * One 64-bit word for each connection that can exist, changed by compare-and-swap alone. The
 * owner's slot stands in the same word as the generation, so a process killed at any instruction
 * has either claimed an entry or not, and the supervisor finds all that it had. Reasons for
 * closing lie in a small pool beside it; when that is full or its lock not to be had, a close is
 * asked without a reason.
 *
 * A connection id is an entry's index and generation, scrambled by a bijection of this segment:
 * unique among the living, never 0, looked up without a search, and says nothing about how many
 * there are. The memory is drawn in bus/layout.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/macros.h"
#include "base/span.h"

enum {
	DIRECTORY_REASON_MAX = 123, /* bytes: what fits into a WebSocket close frame */
	DIRECTORY_CONNECTIONS_MAX = 1 << 20,
};

struct directory_parts;
struct directory; /* a process's view of it; owned by the segment */

/* --- life: for bus/segment alone ---------------------------------------------------------- */

/* A view; NULL: out of memory. The memory behind `parts` must outlive it. */
struct directory *directory_new(const struct directory_parts *parts);
void directory_free(struct directory *directory);
/*
 * Empties it and chooses a new scrambling; also for one left by dead processes. Returns 0 or
 * -errno.
 */
int directory_format(struct directory *directory) must_check;

/*
 * Takes over the names that dead processes gave to their connections, so that directory_next tells them; before
 * directory_format.
 */
void directory_recall(struct directory *directory);

/* --- acts --------------------------------------------------------------------------------- */

/*
 * Claims an entry for a connection of process `slot`. Returns 0 and the id, never 0; -ENOSPC when
 * there are as many connections as the directory was laid out for.
 */
int directory_claim(struct directory *directory, unsigned slot, uint32_t *ret_conn_id) must_check;

/* Gives an entry back; the id of no live connection is ignored. By the owner alone. */
void directory_release(struct directory *directory, uint32_t conn_id);

/*
 * Asks the owner of a connection to close it, with a reason of at most DIRECTORY_REASON_MAX bytes
 * (a longer one is cut). Asked again before it was taken, the first reason stands. Then call
 * bell_ring for the owner. Returns 0 and the owner's slot; -ENOENT.
 */
int directory_request_close(struct directory *directory, uint32_t conn_id, struct span reason,
    unsigned *ret_slot) must_check;

/*
 * By the owner alone: how many closes were asked of `slot` so far. When the number has moved,
 * look at all connections with directory_take_close. Asking counts as having looked: bell_arm
 * compares with the last answer, so act on it before the next sleep.
 */
uint64_t directory_close_requests(struct directory *directory, unsigned slot);

/*
 * By the owner alone: whether a close was asked of this connection; then the reason (perhaps
 * empty) stands in `ret_reason`, NUL-terminated, and the request is taken.
 */
bool directory_take_close(
    struct directory *directory, uint32_t conn_id, char ret_reason[DIRECTORY_REASON_MAX + 1]);

/*
 * The supervisor's, after reaping the process of `slot`: frees its entries and the lock if it
 * held that.
 */
void directory_clear_slot(struct directory *directory, unsigned slot);

/* --- questions ---------------------------------------------------------------------------- */

/*
 * The connections of a slot, one a call, in no order: `cursor` is 0 at first. False: there are no more. Those that
 * come and go meanwhile are told or not.
 */
bool directory_next(const struct directory *directory, unsigned slot, uint32_t *cursor,
    uint32_t *ret_conn_id) must_check;
/* Which slot holds the connection. Returns 0 or -ENOENT. */
int directory_find(
    const struct directory *directory, uint32_t conn_id, unsigned *ret_slot) must_check;
/* Whether a close was asked of `slot` since it last called directory_close_requests. */
bool directory_has_requests(const struct directory *directory, unsigned slot);
/* Connections that `slot` holds, and that there can be in all. */
uint32_t directory_count(const struct directory *directory, unsigned slot);
uint32_t directory_capacity(const struct directory *directory);
/* How often a process died with the lock of the reasons in its hand. */
uint64_t directory_recoveries(const struct directory *directory);
/* As ring_stuck_holder. */
pid_t directory_stuck_holder(struct directory *directory, uint64_t limit_ms);
