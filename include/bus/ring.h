/*
 * The event ring: the one totally ordered stream of events, and its recent history.
 *
 * All processes publish, all read. Publishing takes a robust lock for the time of one copy;
 * reading takes none: a reader copies a record out and then looks whether it was overtaken
 * meanwhile. The word `head` is the only commit point: what it does not count never happened, and
 * a publisher that is killed at any instruction leaves a consistent ring. The memory is drawn in
 * bus/layout.h.
 *
 * What a reader finds was written by another process, perhaps one that runs wild: positions and
 * lengths are checked against the process's own knowledge of the sizes before they are used.
 *
 * Waking the readers is not the ring's business: publish, then bell_ring_all.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/span.h"

enum {
	RING_BYTES_MIN = 65536,
	RING_FLAG_ALWAYS = 1, /* goes to every connection, whatever its filter */
	RING_FLAG_ADMIN = 2,  /* only to scope admin, and only by name or by `gateway.*` */
};

struct ring_parts;
struct ring; /* a process's view of the shared ring; owned by the segment */

/*
 * A place in a draft's frame for digits that are known only at publication. Width 0: no such
 * place.
 */
struct ring_digits {
	uint32_t offset; /* from the first byte of the frame */
	uint32_t width;
};

/* An event to publish. The spans need to live only during the call. */
struct ring_draft {
	struct span name;  /* at most UINT16_MAX bytes */
	struct span key;   /* session key; empty: none */
	struct span frame; /* finished bytes, but for the digits below */
	uint32_t flags;
	struct ring_digits id;	/* the sequence number in lower case hex, at least 8 digits */
	struct ring_digits seq; /* in decimal, no leading zeros */
	struct ring_digits at;	/* ms of CLOCK_REALTIME in decimal, no leading zeros */
};

/* What the published event was given. */
struct ring_receipt {
	uint64_t seq;
	uint64_t at_ms;
};

/*
 * One event as read. Offsets count from the start of `data` of the buffers given to ring_read.
 */
struct ring_record {
	uint64_t seq;
	uint64_t at_ms;	       /* CLOCK_REALTIME; never runs backwards against seq */
	uint64_t published_ns; /* CLOCK_MONOTONIC */
	uint32_t flags;
	uint16_t publisher; /* slot */
	uint16_t name_len;  /* the name lies at label_offset in `labels`... */
	uint16_t key_len;   /* ...and the session key right behind it */
	uint32_t frame_len;
	size_t label_offset;
	size_t frame_offset; /* in `frames` */
};

enum ring_verdict {
	RING_RECORD,  /* one event, copied out */
	RING_EMPTY,   /* `seq` was not published yet */
	RING_LAPPED,  /* `seq` is overwritten: go on at ring_oldest() or at ring_head() + 1 */
	RING_DAMAGED, /* the record contradicts itself or its checksum: skip it, say so once */
	RING_NOMEM,   /* no memory for the copy; nothing was read */
};

/* --- life: for bus/segment alone ---------------------------------------------------------- */

/* The number of index entries that belongs to a ring of `bytes` data bytes. */
uint32_t ring_index_count(uint64_t bytes);
/* A view; NULL when out of memory. The memory behind `parts` must outlive it. */
struct ring *ring_new(const struct ring_parts *parts);
void ring_free(struct ring *ring);
/* Makes a new, empty ring with a new epoch. Returns 0 or -errno. */
int ring_format(struct ring *ring) must_check;
/*
 * Takes over a ring whose processes are all dead. Head, index, data and epoch stay, if every
 * event that is still readable verifies; readers are forgotten. Returns 0; -EBADMSG if the ring
 * contradicts itself (then ring_format it); -errno.
 */
int ring_adopt(struct ring *ring) must_check;
/* Forgets the reader of a dead process, and frees the lock if that held it. */
void ring_clear_slot(struct ring *ring, unsigned slot);

/* --- acts --------------------------------------------------------------------------------- */

/*
 * Publishes an event as process `slot`. The digits are set into the ring's copy of the frame.
 * Returns 0 and fills `ret`; else nothing was published:
 *   -ERANGE          a digit place has not the width of what belongs there: build the frame again
 *                    from ring_head() + 1 and max(ring_last_at_ms(), now), and publish that
 *   -ETIMEDOUT       the lock was held by others for 20 ms: try again later
 *   -EMSGSIZE        the record is longer than ring_record_max()
 *   -EINVAL          a digit place lies outside of the frame
 *   -ENOTRECOVERABLE the ring contradicts itself
 */
int ring_publish(struct ring *ring, unsigned slot, const struct ring_draft *draft,
    struct ring_receipt *ret) must_check;

/*
 * Copies event `seq` to the ends of `frames` and `labels`. Only with RING_RECORD are these longer
 * than before, and `ret` filled. `seq` 0 is RING_LAPPED.
 */
enum ring_verdict ring_read(struct ring *ring, uint64_t seq, struct buf *frames, struct buf *labels,
    struct ring_record *ret) must_check;

/*
 * The process of `slot` begins to read: `seq` is the last event that it has read (or needs not).
 */
void ring_reader_attach(struct ring *ring, unsigned slot, uint64_t seq);
/* It has read up to and including `seq`. */
void ring_reader_moved(struct ring *ring, unsigned slot, uint64_t seq);
/* It was overtaken, and `lost` events passed it by. */
void ring_reader_lapped(struct ring *ring, unsigned slot, uint64_t lost);

/* --- questions ---------------------------------------------------------------------------- */

/* The last event published; 0: none yet. */
uint64_t ring_head(const struct ring *ring);
/* The oldest event that can still be read, as of now; ring_head() + 1 when there is none. */
uint64_t ring_oldest(const struct ring *ring);
/* Whether event `seq`, if it is there by then, can be read until another 1/part of the ring (part >= 2) is published. */
bool ring_keeps(const struct ring *ring, uint64_t seq, unsigned part);
/* `at` of the last event; 0: none yet. */
uint64_t ring_last_at_ms(const struct ring *ring);
/* Bytes of data that the readable events occupy, and how many there can be. */
uint64_t ring_bytes_used(const struct ring *ring);
uint64_t ring_capacity(const struct ring *ring);
/* The longest record: name, key and frame together. */
uint64_t ring_record_max(const struct ring *ring);
/* How often a publisher died with the lock in its hand. */
uint64_t ring_mutex_recoveries(const struct ring *ring);
/* 16 hexadecimal digits; lives as long as the ring's view. */
const char *ring_epoch(const struct ring *ring);
/*
 * Of any slot: where its reader stands; how often it was overtaken, and by how many events in
 * all.
 */
uint64_t ring_reader_seq(const struct ring *ring, unsigned slot);
uint64_t ring_reader_laps(const struct ring *ring, unsigned slot);
uint64_t ring_reader_lost(const struct ring *ring, unsigned slot);
/*
 * For the supervisor, every 100 ms or so: the pid of a process that was seen to hold the lock for
 * `limit_ms` or longer in one go, else 0. segment_stuck_holder asks for all locks.
 */
pid_t ring_stuck_holder(struct ring *ring, uint64_t limit_ms);
