/*
 * Reading an event: copy first, then look whether the copy can be trusted.
 *
 * The data is copied while another process may overwrite it. In the eyes of C11 that is a race; it
 * is that of every seqlock: what was copied is used only after the fences below have shown that
 * nobody had begun to overwrite it. What the entry says is checked against our own knowledge of the
 * ring's size before it is used.
 */
#include <string.h>

#include "base/macros.h"
#include "bus/ring.h"
#include "bus/ring_entry.h"
#include "bus/ring_view.h"

/*
 * After entry or record were copied: what does the copy mean? LAPPED if publishers have come so
 * far meanwhile that it may be torn; DAMAGED if they have not and the entry changed all the same;
 * RECORD if it is whole. `entry` has sane bounds or is not that of `seq`.
 */
static enum ring_verdict
recheck(const struct ring *ring, uint64_t seq, const struct ring_entry *entry)
{
	uint64_t seq_now;

	/*
	 * Pairs with the release fence in commit(): the loads below are not older than the copy.
	 */
	atomic_thread_fence(memory_order_acquire);
	seq_now = atomic_load_explicit(&ring_view_index(ring, seq)->seq, memory_order_acquire);
	if (ring_view_is_too_old(ring, seq, ring_view_head(ring)))
		return RING_LAPPED;
	if (entry->seq != seq || seq_now != seq)
		return RING_DAMAGED;
	return ring_view_is_overwritten(ring, entry->pos) ? RING_LAPPED : RING_RECORD;
}

/*
 * The one copy that may be torn. ThreadSanitizer is not to look at it, since what is torn is thrown
 * away; it goes on looking at the publishers' stores, which must not meet each other, and memcpy it
 * would see whoever calls it.
 */
#if UNDER_TSAN
__attribute__((no_sanitize("thread"))) static void
copy_racing(char *to, const char *from, size_t n)
{
	const volatile char *p = from;

	for (size_t i = 0; i < n; i++)
		to[i] = p[i];
}
#else
static void
copy_racing(char *to, const char *from, size_t n)
{
	if (n != 0)
		memcpy(to, from, n);
}
#endif

/* Copies the record behind the ends of the buffers, without making them longer. */
static enum ring_verdict
copy_record(
    const struct ring *ring, const struct ring_entry *entry, struct buf *frames, struct buf *labels)
{
	const char *data = ring_view_data(ring, entry->pos);
	size_t labels_len = (size_t)entry->name_len + entry->key_len;
	enum ring_verdict verdict;

	/* One more, so that a buffer without bytes has an address all the same. */
	if (!buf_reserve(frames, (size_t)entry->frame_len + 1) ||
	    !buf_reserve(labels, labels_len + 1))
		return RING_NOMEM;
	copy_racing(labels->data + labels->len, data, labels_len);
	copy_racing(frames->data + frames->len, data + labels_len, entry->frame_len);
	verdict = recheck(ring, entry->seq, entry);
	if (verdict == RING_RECORD &&
	    !ring_entry_matches(entry, labels->data + labels->len, frames->data + frames->len))
		return RING_DAMAGED;
	return verdict;
}

static void
fill_record(const struct ring_entry *entry, const struct buf *frames, const struct buf *labels,
    struct ring_record *ret)
{
	ret->seq = entry->seq;
	ret->at_ms = entry->at_ms;
	ret->published_ns = entry->published_ns;
	ret->flags = entry->flags;
	ret->publisher = entry->publisher;
	ret->name_len = entry->name_len;
	ret->key_len = entry->key_len;
	ret->frame_len = entry->frame_len;
	ret->label_offset = labels->len;
	ret->frame_offset = frames->len;
}

enum ring_verdict
ring_read(struct ring *ring, uint64_t seq, struct buf *frames, struct buf *labels,
    struct ring_record *ret)
{
	uint64_t head = ring_view_head(ring);
	struct ring_entry entry;
	enum ring_verdict verdict;

	if (seq > head)
		return RING_EMPTY;
	if (ring_view_is_too_old(ring, seq, head))
		return RING_LAPPED;
	ring_entry_load(ring_view_index(ring, seq), &entry);
	if (!ring_entry_is_sane(&entry, seq, ring->parts.bytes)) {
		entry.seq = 0; /* whatever it is, not the entry of seq */
		return recheck(ring, seq, &entry);
	}
	verdict = copy_record(ring, &entry, frames, labels);
	if (verdict != RING_RECORD)
		return verdict;
	fill_record(&entry, frames, labels, ret);
	labels->len += (size_t)entry.name_len + entry.key_len;
	frames->len += entry.frame_len;
	return RING_RECORD;
}
