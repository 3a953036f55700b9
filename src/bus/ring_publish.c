/*
 * Publishing an event: everything is prepared, then one copy under the lock, then one store
 * commits.
 *
 * The invariants of the ring stand in bus/ring_view.h; commit() below is where they are kept.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/digits.h"
#include "base/failpoint.h"
#include "bus/ring.h"
#include "bus/ring_entry.h"
#include "bus/ring_view.h"

enum {
	ID_WIDTH_MIN = 8,
};

static bool
place_is_inside(const struct ring_digits *place, struct span frame)
{
	return place->offset <= frame.n && place->width <= frame.n - place->offset;
}

static int
draft_check(const struct ring *ring, const struct ring_draft *draft)
{
	uint64_t max = ring_view_record_max(ring);

	if (draft->name.n > UINT16_MAX || draft->key.n > UINT16_MAX || draft->frame.n > max ||
	    draft->name.n + draft->key.n + draft->frame.n > max)
		return -EMSGSIZE;
	if (!place_is_inside(&draft->id, draft->frame) ||
	    !place_is_inside(&draft->seq, draft->frame) ||
	    !place_is_inside(&draft->at, draft->frame))
		return -EINVAL;
	return 0;
}

static bool
width_is_right(const struct ring_digits *place, unsigned width)
{
	return place->width == 0 || place->width == width;
}

static bool
digits_fit(const struct ring_draft *draft, const struct ring_entry *entry)
{
	unsigned id_width = digits_hex_width(entry->seq);

	if (id_width < ID_WIDTH_MIN)
		id_width = ID_WIDTH_MIN;
	return width_is_right(&draft->id, id_width) &&
	       width_is_right(&draft->seq, digits_decimal_width(entry->seq)) &&
	       width_is_right(&draft->at, digits_decimal_width(entry->at_ms));
}

/*
 * Sets digits into the ring's copy of the frame, and returns by how much that changes the frame's
 * sum. One place after the other, since two may touch the same word of it.
 */
static uint64_t
set_digits(char *frame, size_t len, const struct ring_digits *place, uint64_t value,
    void (*put)(char *out, unsigned width, uint64_t value))
{
	struct span span = span_make(frame, len);
	uint64_t before = ring_entry_sum_place(span, place->offset, place->width);

	put(frame + place->offset, place->width, value);
	failpoint("digits");
	return ring_entry_sum_place(span, place->offset, place->width) - before;
}

static char *
append(char *to, struct span span)
{
	if (span.n != 0)
		memcpy(to, span.p, span.n);
	failpoint("bytes of the record");
	return to + span.n;
}

/* Copies the record to its place; returns by how much the digits change the sum of the draft. */
static uint64_t
write_record(
    const struct ring *ring, const struct ring_draft *draft, const struct ring_entry *entry)
{
	char *frame = append(append(ring_view_data(ring, entry->pos), draft->name), draft->key);
	size_t len = draft->frame.n;
	uint64_t change = 0;

	append(frame, draft->frame);
	change += set_digits(frame, len, &draft->id, entry->seq, digits_put_hex);
	change += set_digits(frame, len, &draft->seq, entry->seq, digits_put_decimal);
	change += set_digits(frame, len, &draft->at, entry->at_ms, digits_put_decimal);
	return change;
}

/*
 * The stores that readers see, in the order in which they must see them. Death between any two of
 * them leaves the event unpublished and all events that readers may still trust untouched.
 */
static void
commit(struct ring *ring, const struct ring_draft *draft, struct ring_entry *entry, uint64_t sum)
{
	struct ring_shared *shared = ring->parts.shared;
	struct ring_index *index = ring_view_index(ring, entry->seq);
	uint64_t end = entry->pos + ring_entry_len(entry);

	/* Never lowered: a publisher that died may have overwritten up to there. */
	if (ring_view_intent(ring) < end)
		atomic_store_explicit(&shared->intent, end, memory_order_relaxed);
	failpoint("intent");

	/* Release: who sees the 0 also sees the head by which seq - N is too old to be read. */
	atomic_store_explicit(&index->seq, 0, memory_order_release);
	failpoint("entry's seq = 0");

	/*
	 * Pairs with the acquire fence in recheck(): a reader that copied one byte or field of
	 * what is written below then finds the intent raised and the seq gone.
	 */
	atomic_thread_fence(memory_order_release);

	entry->check = ring_entry_check(entry, sum + write_record(ring, draft, entry));
	ring_entry_store(index, entry);

	/* Release: who sees the seq sees the fields; who sees the head sees record and entry. */
	atomic_store_explicit(&index->seq, entry->seq, memory_order_release);
	failpoint("entry's seq");
	atomic_store_explicit(&shared->head, entry->seq, memory_order_release);
	failpoint("head");
}

/* What is done with the lock held: `entry` gets its seq, place and time, and is committed. */
static int
publish_locked(
    struct ring *ring, const struct ring_draft *draft, struct ring_entry *entry, uint64_t sum)
{
	/* Relaxed: the lock orders it. */
	uint64_t head = atomic_load_explicit(&ring->parts.shared->head, memory_order_relaxed);
	struct ring_tail tail;
	int r = ring_view_tail(ring, head, &tail);

	if (r < 0)
		return r;
	entry->seq = head + 1;
	entry->pos = tail.pos;
	entry->at_ms = max_u64(tail.at_ms, clock_real_ms());
	if (!digits_fit(draft, entry))
		return -ERANGE;
	commit(ring, draft, entry, sum);
	return 0;
}

int
ring_publish(
    struct ring *ring, unsigned slot, const struct ring_draft *draft, struct ring_receipt *ret)
{
	struct ring_entry entry = { .publisher = (uint16_t)slot, .flags = draft->flags };
	uint64_t sum;
	int r = draft_check(ring, draft);

	if (r < 0)
		return r;
	entry.name_len = (uint16_t)draft->name.n;
	entry.key_len = (uint16_t)draft->key.n;
	entry.frame_len = (uint32_t)draft->frame.n;
	sum = ring_entry_sum_labels(draft->name, draft->key) + ring_entry_sum_frame(draft->frame);
	r = shlock_take(&ring->parts.shared->lock, &entry.published_ns);
	if (r < 0)
		return r;
	r = publish_locked(ring, draft, &entry, sum);
	shlock_give(&ring->parts.shared->lock);
	if (r < 0)
		return r;
	ret->seq = entry.seq;
	ret->at_ms = entry.at_ms;
	return 0;
}
