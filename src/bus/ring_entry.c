/*
 * One entry of the ring's index, word by word between shared and private memory, and its check.
 *
 * Each part of a record is summed with a salt of its own, so that equal bytes in another part
 * make another sum.
 */
#include "bus/ring_entry.h"

#include <stdatomic.h>
#include <stddef.h>

#include "base/failpoint.h"
#include "bus/checksum.h"
#include "bus/layout.h"

enum {
	SALT_NAME = 1,
	SALT_KEY = 2,
	SALT_FRAME = 3,
	SALT_ENTRY = 4,
};

static_assert(offsetof(struct ring_entry, check) == offsetof(struct ring_index, check),
    "the same order as in shared memory");

#define LOAD(word) atomic_load_explicit(word, memory_order_relaxed)

#define STORE(word, value)                                                \
	do {                                                              \
		atomic_store_explicit(word, value, memory_order_relaxed); \
		failpoint(#value);                                        \
	} while (0)

void
ring_entry_load(const struct ring_index *index, struct ring_entry *ret)
{
	ret->seq = atomic_load_explicit(&index->seq, memory_order_acquire);
	ret->pos = LOAD(&index->pos);
	ret->at_ms = LOAD(&index->at_ms);
	ret->published_ns = LOAD(&index->published_ns);
	ret->frame_len = LOAD(&index->frame_len);
	ret->flags = LOAD(&index->flags);
	ret->name_len = LOAD(&index->name_len);
	ret->key_len = LOAD(&index->key_len);
	ret->publisher = LOAD(&index->publisher);
	ret->zero = 0;
	ret->check = LOAD(&index->check);
}

void
ring_entry_store(struct ring_index *index, const struct ring_entry *entry)
{
	STORE(&index->pos, entry->pos);
	STORE(&index->at_ms, entry->at_ms);
	STORE(&index->published_ns, entry->published_ns);
	STORE(&index->frame_len, entry->frame_len);
	STORE(&index->flags, entry->flags);
	STORE(&index->name_len, entry->name_len);
	STORE(&index->key_len, entry->key_len);
	STORE(&index->publisher, entry->publisher);
	STORE(&index->check, entry->check);
}

uint64_t
ring_entry_len(const struct ring_entry *entry)
{
	return (uint64_t)entry->name_len + entry->key_len + entry->frame_len;
}

bool
ring_entry_is_sane(const struct ring_entry *entry, uint64_t seq, uint64_t bytes)
{
	return entry->seq == seq && seq <= RING_SEQ_MAX && entry->pos <= RING_POS_MAX &&
	       ring_entry_len(entry) <= bytes / 4;
}

uint64_t
ring_entry_sum_labels(struct span name, struct span key)
{
	return checksum_bytes(name.p, name.n, SALT_NAME) + checksum_bytes(key.p, key.n, SALT_KEY);
}

uint64_t
ring_entry_sum_frame(struct span frame)
{
	return checksum_bytes(frame.p, frame.n, SALT_FRAME);
}

uint64_t
ring_entry_sum_place(struct span frame, uint32_t offset, uint32_t width)
{
	return checksum_part(frame.p, frame.n, SALT_FRAME, offset, width);
}

uint64_t
ring_entry_check(const struct ring_entry *entry, uint64_t sum)
{
	struct ring_entry copy = *entry;

	copy.check = 0;
	return sum + checksum_bytes(&copy, sizeof(copy), SALT_ENTRY);
}

bool
ring_entry_matches(const struct ring_entry *entry, const char *labels, const char *frame)
{
	struct span name = span_make(labels, entry->name_len);
	struct span key = span_make(labels + entry->name_len, entry->key_len);
	uint64_t sum = ring_entry_sum_labels(name, key) +
		       ring_entry_sum_frame(span_make(frame, entry->frame_len));

	return ring_entry_check(entry, sum) == entry->check;
}
