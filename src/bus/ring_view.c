/*
 * A process's view of the ring: the end of the stream.
 */
#include "bus/ring_view.h"

#include <errno.h>

#include "bus/ring_entry.h"

enum {
	RECORD_MAX = 1 << 30, /* lengths and sums of lengths stay within 32 bits */
};

uint64_t
ring_view_record_max(const struct ring *ring)
{
	return min_u64(ring->parts.bytes / 4, RECORD_MAX);
}

int
ring_view_tail(const struct ring *ring, uint64_t head, struct ring_tail *ret)
{
	struct ring_entry last;
	uint64_t intent = ring_view_intent(ring);
	struct ring_tail tail = { 0, 0 };

	if (head >= RING_SEQ_MAX)
		return -ENOTRECOVERABLE;
	if (head != 0) {
		ring_entry_load(ring_view_index(ring, head), &last);
		if (!ring_entry_is_sane(&last, head, ring->parts.bytes))
			return -ENOTRECOVERABLE;
		tail.pos = last.pos + ring_entry_len(&last);
		tail.at_ms = last.at_ms;
	}
	/* What begins beyond, no reader would believe. */
	if (tail.pos > RING_POS_MAX)
		return -ENOTRECOVERABLE;
	/* A publisher that died may have raised it for one record more. */
	if (intent < tail.pos || intent - tail.pos > ring_view_record_max(ring))
		return -ENOTRECOVERABLE;
	*ret = tail;
	return 0;
}
