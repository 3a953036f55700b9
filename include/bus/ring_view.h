/*
 * A process's view of the ring: what publishing, reading and life (src/bus/ring*.c) have in
 * common. For them and bus/segment alone.
 *
 * Invariants of the shared ring, whatever process dies at whatever instruction:
 *  - `head` names the last event; events 1 to head happened, each with one content for all readers;
 *  - the entry and the bytes of head are never written to while it is head, so that the next
 *    publisher finds there where the stream's bytes end, and when it was;
 *  - the entry of head + 1 may be written to at any time: hence nobody reads seq head + 1 - N;
 *  - bytes of the stream before intent - `bytes` may be overwritten: hence nobody trusts them.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "bus/layout.h"

enum {
	RING_EPOCH_DIGITS = 16,
};

/*
 * Where the parts of a ring lie. The view keeps these, and never trusts their copies in shared
 * memory.
 */
struct ring_parts {
	struct ring_shared *shared;
	struct ring_index *index;    /* index_count entries, a power of two */
	struct ring_reader *readers; /* one for each slot */
	char *data;		     /* `bytes`, mapped twice: data[i] is data[i + bytes] */
	uint64_t bytes;
	uint32_t index_count;
	unsigned slots;
};

/* Sizes and places are private copies: nobody else can change them under our feet. */
struct ring {
	struct ring_parts parts;
	char epoch[RING_EPOCH_DIGITS + 1];
	struct shlock_watch watch;
};

/* Where the stream ends: the position behind the last event, and its time. */
struct ring_tail {
	uint64_t pos;
	uint64_t at_ms;
};

/*
 * Reads the end of the stream off the entry of `head`, while the lock is held or all are dead.
 * Returns 0; -ENOTRECOVERABLE when that is not what any publisher could have left.
 */
int ring_view_tail(const struct ring *ring, uint64_t head, struct ring_tail *ret) must_check;

/* The longest record: name, key and frame together. */
uint64_t ring_view_record_max(const struct ring *ring);

/* The entry at which `seq` stands, if it still does. */
static inline struct ring_index *
ring_view_index(const struct ring *ring, uint64_t seq)
{
	return &ring->parts.index[seq & (ring->parts.index_count - 1)];
}

/* The byte at a position of the stream; a whole record can be reached from there. */
static inline char *
ring_view_data(const struct ring *ring, uint64_t pos)
{
	return ring->parts.data + pos % ring->parts.bytes;
}

/* Acquire: entry and bytes of the event that it names are seen with it. */
static inline uint64_t
ring_view_head(const struct ring *ring)
{
	return atomic_load_explicit(&ring->parts.shared->head, memory_order_acquire);
}

static inline uint64_t
ring_view_intent(const struct ring *ring)
{
	return atomic_load_explicit(&ring->parts.shared->intent, memory_order_relaxed);
}

/* Whether the entry of `seq` is, or may at any time become, that of a later event. */
static inline bool
ring_view_is_too_old(const struct ring *ring, uint64_t seq, uint64_t head)
{
	return seq == 0 || (head >= seq && head - seq >= ring->parts.index_count - 1);
}

/* Whether the bytes at `pos` may have been overwritten. */
static inline bool
ring_view_is_overwritten(const struct ring *ring, uint64_t pos)
{
	return ring_view_intent(ring) > pos + ring->parts.bytes;
}
