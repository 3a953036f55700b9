/*
 * The event ring's life, and what can be asked of it. Publishing and reading have files of their
 * own.
 *
 * The invariants of the ring stand in bus/ring_view.h.
 */
#include "bus/ring.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/digits.h"
#include "base/random.h"
#include "bus/layout.h"
#include "bus/ring_entry.h"
#include "bus/ring_view.h"

enum {
	BYTES_PER_EVENT = 256, /* of data, for one entry of the index */
	INDEX_MIN = 64,
	INDEX_MAX = 1 << 24,
	LOOKS_MAX = 8,
};

uint32_t
ring_index_count(uint64_t bytes)
{
	uint64_t wanted = bytes / BYTES_PER_EVENT;
	uint32_t count = INDEX_MIN;

	while (count < INDEX_MAX && 2 * (uint64_t)count <= wanted)
		count *= 2;
	return count;
}

/* --- life --------------------------------------------------------------------------------- */

struct ring *
ring_new(const struct ring_parts *parts)
{
	struct ring *ring = mem_zalloc(sizeof(*ring));

	if (ring == NULL)
		return NULL;
	ring->parts = *parts;
	return ring;
}

void
ring_free(struct ring *ring)
{
	mem_free(ring);
}

static void
clear_readers(struct ring *ring)
{
	memset(ring->parts.readers, 0, ring->parts.slots * sizeof(ring->parts.readers[0]));
}

int
ring_format(struct ring *ring)
{
	struct ring_shared *shared = ring->parts.shared;
	uint64_t epoch;
	int r = random_bytes(&epoch, sizeof(epoch));

	if (r < 0)
		return r;
	memset(shared, 0, sizeof(*shared));
	memset(ring->parts.index, 0, ring->parts.index_count * sizeof(ring->parts.index[0]));
	clear_readers(ring);
	r = shlock_init(&shared->lock);
	if (r < 0)
		return r;
	digits_put_hex(ring->epoch, RING_EPOCH_DIGITS, epoch);
	memcpy(shared->epoch, ring->epoch, sizeof(ring->epoch));
	shared->bytes = ring->parts.bytes;
	shared->index_count = ring->parts.index_count;
	return 0;
}

static bool
epoch_is_sane(const char *epoch)
{
	return strspn(epoch, "0123456789abcdef") == RING_EPOCH_DIGITS &&
	       epoch[RING_EPOCH_DIGITS] == 0;
}

/*
 * Whether the event `seq` ends where, and not after, its successor begins, and is whole unless its
 * bytes may have been overwritten; the successor's position and time are then replaced by its own.
 */
static bool
event_verifies(const struct ring *ring, const struct ring_entry *entry, struct ring_tail *next)
{
	const char *data = ring_view_data(ring, entry->pos);
	uint64_t labels_len = (uint64_t)entry->name_len + entry->key_len;

	if (entry->pos + ring_entry_len(entry) != next->pos || entry->at_ms > next->at_ms)
		return false;
	next->pos = entry->pos;
	next->at_ms = entry->at_ms;
	return ring_view_is_overwritten(ring, entry->pos) ||
	       ring_entry_matches(entry, data, data + labels_len);
}

/*
 * Walks back from the last event as far as the index goes: also over entries without their bytes,
 * since ring_oldest believes that all positions rise with seq.
 */
static bool
history_verifies(const struct ring *ring, uint64_t head)
{
	struct ring_tail next;
	struct ring_entry entry;

	if (ring_view_tail(ring, head, &next) < 0)
		return false;
	for (uint64_t seq = head; !ring_view_is_too_old(ring, seq, head); seq--) {
		ring_entry_load(ring_view_index(ring, seq), &entry);
		if (!ring_entry_is_sane(&entry, seq, ring->parts.bytes) ||
		    !event_verifies(ring, &entry, &next))
			return false;
	}
	return true;
}

int
ring_adopt(struct ring *ring)
{
	struct ring_shared *shared = ring->parts.shared;
	int r;

	if (shared->bytes != ring->parts.bytes || shared->index_count != ring->parts.index_count ||
	    !epoch_is_sane(shared->epoch) || !history_verifies(ring, ring_view_head(ring)))
		return -EBADMSG;
	r = shlock_adopt(&shared->lock);
	if (r < 0)
		return r;
	clear_readers(ring);
	memcpy(ring->epoch, shared->epoch, RING_EPOCH_DIGITS);
	return 0;
}

/* --- readers ------------------------------------------------------------------------------ */

static struct ring_reader *
reader_of(const struct ring *ring, unsigned slot)
{
	return slot < ring->parts.slots ? &ring->parts.readers[slot] : NULL;
}

void
ring_clear_slot(struct ring *ring, unsigned slot)
{
	struct ring_reader *reader = reader_of(ring, slot);

	if (reader != NULL)
		atomic_store_explicit(&reader->seq, 0, memory_order_relaxed);
	shlock_mend(&ring->parts.shared->lock);
}

void
ring_reader_attach(struct ring *ring, unsigned slot, uint64_t seq)
{
	ring_reader_moved(ring, slot, seq);
}

void
ring_reader_moved(struct ring *ring, unsigned slot, uint64_t seq)
{
	struct ring_reader *reader = reader_of(ring, slot);

	if (reader != NULL)
		atomic_store_explicit(&reader->seq, seq, memory_order_relaxed);
}

void
ring_reader_lapped(struct ring *ring, unsigned slot, uint64_t lost)
{
	struct ring_reader *reader = reader_of(ring, slot);

	if (reader == NULL)
		return;
	atomic_fetch_add_explicit(&reader->laps, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&reader->lost, lost, memory_order_relaxed);
}

uint64_t
ring_reader_seq(const struct ring *ring, unsigned slot)
{
	struct ring_reader *reader = reader_of(ring, slot);

	return reader != NULL ? atomic_load_explicit(&reader->seq, memory_order_relaxed) : 0;
}

uint64_t
ring_reader_laps(const struct ring *ring, unsigned slot)
{
	struct ring_reader *reader = reader_of(ring, slot);

	return reader != NULL ? atomic_load_explicit(&reader->laps, memory_order_relaxed) : 0;
}

uint64_t
ring_reader_lost(const struct ring *ring, unsigned slot)
{
	struct ring_reader *reader = reader_of(ring, slot);

	return reader != NULL ? atomic_load_explicit(&reader->lost, memory_order_relaxed) : 0;
}

/* --- questions ---------------------------------------------------------------------------- */

uint64_t
ring_head(const struct ring *ring)
{
	return ring_view_head(ring);
}

/* The second look at seq: without it, what was loaded may in part be of the entry's next event. */
static bool
is_readable_after(
    const struct ring *ring, uint64_t seq, uint64_t more_bytes, struct ring_entry *entry)
{
	const struct ring_index *index = ring_view_index(ring, seq);

	ring_entry_load(index, entry);
	atomic_thread_fence(memory_order_acquire); /* pairs with the release fence in commit() */
	return ring_entry_is_sane(entry, seq, ring->parts.bytes) &&
	       atomic_load_explicit(&index->seq, memory_order_relaxed) == seq &&
	       ring_view_intent(ring) + more_bytes <= entry->pos + ring->parts.bytes;
}

static bool
is_readable(const struct ring *ring, uint64_t seq, struct ring_entry *entry)
{
	return is_readable_after(ring, seq, 0, entry);
}

/*
 * Positions rise with seq, so that the readable ones are a run up to head, and its begin is found
 * by halving. Publishers may overtake us meanwhile: then the answer is as of some instant before.
 */
uint64_t
ring_oldest(const struct ring *ring)
{
	uint64_t head = ring_view_head(ring);
	uint64_t kept = ring->parts.index_count - 1;
	uint64_t low = head > kept ? head - kept + 1 : 1;
	uint64_t high = head + 1;
	struct ring_entry entry;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (is_readable(ring, middle, &entry))
			high = middle;
		else
			low = middle + 1;
	}
	return high;
}

bool
ring_keeps(const struct ring *ring, uint64_t seq, unsigned part)
{
	uint64_t head = ring_view_head(ring);
	uint64_t kept = ring->parts.index_count - 1 - ring->parts.index_count / part;
	struct ring_entry entry;

	return seq > head || (head - seq < kept &&
				 is_readable_after(ring, seq, ring->parts.bytes / part, &entry));
}

uint64_t
ring_last_at_ms(const struct ring *ring)
{
	struct ring_entry entry;

	/* Only publishers that lap the whole index between two loads make us look again. */
	for (unsigned tries = 0; tries < LOOKS_MAX; tries++) {
		uint64_t head = ring_view_head(ring);

		ring_entry_load(ring_view_index(ring, head), &entry);
		if (head == 0 || entry.seq == head)
			return head == 0 ? 0 : entry.at_ms;
	}
	return 0;
}

uint64_t
ring_bytes_used(const struct ring *ring)
{
	uint64_t oldest = ring_oldest(ring);
	struct ring_entry entry;
	struct ring_tail tail;

	if (ring_view_tail(ring, ring_view_head(ring), &tail) < 0 ||
	    !is_readable(ring, oldest, &entry) || entry.pos > tail.pos)
		return 0;
	return min_u64(tail.pos - entry.pos, ring->parts.bytes);
}

uint64_t
ring_capacity(const struct ring *ring)
{
	return ring->parts.bytes;
}

uint64_t
ring_record_max(const struct ring *ring)
{
	return ring_view_record_max(ring);
}

uint64_t
ring_mutex_recoveries(const struct ring *ring)
{
	return shlock_recoveries(&ring->parts.shared->lock);
}

const char *
ring_epoch(const struct ring *ring)
{
	return ring->epoch;
}

pid_t
ring_stuck_holder(struct ring *ring, uint64_t limit_ms)
{
	return shlock_stuck(&ring->parts.shared->lock, &ring->watch, limit_ms);
}
