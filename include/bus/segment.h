/*
 * The shared segment: one POSIX object that holds the ring, the mailboxes, the directory, the
 * visitors, the ledger, the last log lines, the counters and the roster of one gateway.
 *
 * The supervisor opens it once, before the first fork; children inherit mapping, descriptors and
 * this view, and never open it by name. Memory is reserved when it is opened, so that no store
 * can ever meet a full file system (SIGBUS); only the mailboxes of worker slots in which nothing
 * runs yet are left out, and refuse mail. Left behind by a gateway that died as a whole it is
 * adopted: the epoch and the events go on. The memory is drawn in bus/layout.h.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/macros.h"
#include "bus/segment_layout.h"

struct counters;
struct directory;
struct ledger;
struct loglines;
struct mailbox;
struct ring;
struct roster;
struct segment;
struct idempotency;
struct providers;
struct visitors;
struct wake;

enum segment_origin {
	SEGMENT_CREATED, /* a new epoch begins */
	SEGMENT_ADOPTED, /* the epoch goes on */
};

/*
 * Opens the segment `name` ("/lurkbot-UID-HHHHHHHH"): adopts what a dead gateway left if it fits
 * and verifies, else removes it and creates a new one. Nobody else may use it meanwhile: the
 * caller holds the gateway's lock file. Slots 0 to worker_slots - 1 are the workers, then come
 * keeper and supervisor. Returns 0; -EINVAL layout out of bounds or name without leading slash;
 * -ENOSPC no room in shared memory; -EBUSY processes of another gateway still have it;
 * -EACCES or -EPERM somebody else's object has that name;
 * -ENOMEM, -EMFILE and the like.
 */
int segment_open(const char *name, const struct segment_layout *layout, struct segment **ret,
    enum segment_origin *ret_origin) must_check;

/*
 * Adopts a segment that somebody kept by the descriptor `fd`, which stays the caller's, and removes another
 * one that has its name. It may have lost its name: then it lives as long as somebody has a descriptor.
 * Returns 0; -ESTALE or -EBADMSG it does not fit or verify, -EACCES it is not ours: segment_open is to be
 * called; or as segment_open does.
 */
int segment_adopt(
    int fd, const char *name, const struct segment_layout *layout, struct segment **ret) must_check;

/*
 * Another descriptor of the object, for somebody to keep who is no process of this gateway; the caller's.
 * Returns 0 or -errno.
 */
int segment_reopen(const struct segment *segment, int *ret_fd) must_check;
/*
 * How many bytes a segment of this layout takes while so many worker slots are reserved. Returns 0 or -EINVAL.
 */
int segment_bytes_wanted(
    const struct segment_layout *layout, unsigned workers, uint64_t *ret) must_check;

/*
 * The supervisor's, before it starts the worker of `slot` for the first time: reserves its
 * mailbox and
 * opens it for mail. Again is harmless. Returns 0; -ENOSPC; -EINVAL no such worker slot; -errno.
 */
int segment_reserve_worker(struct segment *segment, unsigned slot) must_check;

/*
 * The supervisor's, after it reaped the process of `slot`: frees its directory entries, drops its
 * mail, clears its gauges and its reader's place, frees locks that dead processes held, and rings
 * for all.
 */
void segment_clear_slot(struct segment *segment, unsigned slot);

/* Unmaps it and closes this process's descriptors; NULL is allowed. The object stays. */
void segment_close(struct segment *segment);

/* Removes the object; those that have it mapped keep it. Returns 0 or -errno (-ENOENT). */
int segment_unlink(const char *name) must_check;

/* --- parts, all owned by the segment ------------------------------------------------------ */

struct ring *segment_ring(const struct segment *segment);
struct directory *segment_directory(const struct segment *segment);
struct roster *segment_roster(const struct segment *segment);
struct visitors *segment_visitors(const struct segment *segment);
struct providers *segment_providers(const struct segment *segment);
struct idempotency *segment_idempotency(const struct segment *segment);
struct ledger *segment_ledger(const struct segment *segment);
struct loglines *segment_loglines(const struct segment *segment);
/* NULL when there is no such slot. */
struct mailbox *segment_mailbox(const struct segment *segment, unsigned slot);
/* NULL when there is no such slot. */
struct counters *segment_counters(const struct segment *segment, unsigned slot);
/* For bus/bell alone. */
struct wake *segment_wake(const struct segment *segment);

/* --- questions ---------------------------------------------------------------------------- */

/* Slots in all, of workers, and the two behind them. */
unsigned segment_slots(const struct segment *segment);
unsigned segment_worker_slots(const struct segment *segment);
unsigned segment_keeper_slot(const struct segment *segment);
unsigned segment_supervisor_slot(const struct segment *segment);
/* Descriptor of the object: a child keeps it open only to pass it on. */
int segment_fd(const struct segment *segment);
/*
 * The eventfd that wakes `slot`; every child needs those of all slots. -1 when there is no such
 * slot.
 */
int segment_bell_fd(const struct segment *segment, unsigned slot);
/* The sizes that it was laid out with, rounded as they are. */
const struct segment_layout *segment_layout_of(const struct segment *segment);
/* Bytes of the object, and how many of them are reserved now. */
uint64_t segment_bytes(const struct segment *segment);
uint64_t segment_bytes_reserved(const struct segment *segment);
/*
 * For the supervisor, every 100 ms or so: the pid of a process that was seen to hold any lock of
 * the segment for `limit_ms` or longer in one go, else 0.
 */
pid_t segment_stuck_holder(struct segment *segment, uint64_t limit_ms);
