/*
 * The directory of connections: one word for each, compare-and-swap, no lock.
 *
 * The invariants stand in bus/directory_view.h; asking for a close has a file of its own.
 */
#include "bus/directory.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/failpoint.h"
#include "base/random.h"
#include "bus/directory_view.h"
#include "bus/layout.h"

enum {
	PROBES_FREE = 64, /* entries looked at before asking whether there is a free one at all */
};

/* --- life --------------------------------------------------------------------------------- */

struct directory *
directory_new(const struct directory_parts *parts)
{
	struct directory *directory = mem_zalloc(sizeof(*directory));

	if (directory == NULL)
		return NULL;
	directory->parts = *parts;
	directory->cursor_slot = parts->slot_count;
	directory->index_bits = 1;
	while ((UINT32_C(1) << directory->index_bits) < parts->capacity)
		directory->index_bits++;
	return directory;
}

void
directory_free(struct directory *directory)
{
	mem_free(directory);
}

int
directory_format(struct directory *directory)
{
	struct directory_parts *parts = &directory->parts;
	uint32_t factors[2];
	int r = random_bytes(factors, sizeof(factors));

	if (r < 0)
		return r;
	factors[0] |= 1;
	factors[1] |= 1;
	directory_view_set_factors(directory, factors);
	memset(parts->shared, 0, sizeof(*parts->shared));
	memset(parts->slots, 0, parts->slot_count * sizeof(parts->slots[0]));
	memset((void *)parts->entries, 0, parts->capacity * sizeof(parts->entries[0]));
	memcpy(parts->shared->factors, directory->factors, sizeof(directory->factors));
	return shlock_init(&parts->shared->lock);
}

void
directory_recall(struct directory *directory)
{
	directory_view_set_factors(directory, directory->parts.shared->factors);
}

/* --- claiming ----------------------------------------------------------------------------- */

/* Adds to the count of a slot, which only that slot's process changes. */
static void
add_to_count(struct directory *directory, unsigned slot, uint32_t n)
{
	_Atomic uint32_t *count = &directory->parts.slots[slot].count;

	atomic_store_explicit(
	    count, atomic_load_explicit(count, memory_order_relaxed) + n, memory_order_relaxed);
	failpoint("count");
}

static bool
is_full(const struct directory *directory)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < directory->parts.slot_count; i++)
		sum += directory_count(directory, i);
	return sum >= directory->parts.capacity;
}

/*
 * The next entry to look at. Each process walks round from a place of its own, so that they do
 * not meet and a released entry rests as long as possible.
 */
static uint32_t
advance(struct directory *directory, unsigned slot)
{
	uint64_t capacity = directory->parts.capacity;
	uint32_t index;

	if (directory->cursor_slot != slot) {
		directory->cursor_slot = slot;
		directory->cursor = (uint32_t)(capacity * slot / directory->parts.slot_count);
	}
	index = directory->cursor;
	directory->cursor = index + 1 < capacity ? index + 1 : 0;
	return index;
}

/* Claims entry `index` if it is free. */
static bool
claim(struct directory *directory, unsigned slot, uint32_t index, uint32_t *ret_conn_id)
{
	_Atomic uint64_t *entry = &directory->parts.entries[index];
	uint64_t word = atomic_load_explicit(entry, memory_order_relaxed);
	uint32_t generation = directory_view_next(directory, word);
	uint64_t mine = generation | (uint64_t)(slot + 1) << DIRECTORY_SLOT_SHIFT;

	if ((word & DIRECTORY_SLOT_MASK) != 0)
		return false;
	if (!atomic_compare_exchange_strong_explicit(
		entry, &word, mine, memory_order_acq_rel, memory_order_relaxed))
		return false;
	failpoint("entry claimed");
	*ret_conn_id = directory_view_name(directory, generation, index);
	return true;
}

int
directory_claim(struct directory *directory, unsigned slot, uint32_t *ret_conn_id)
{
	if (slot >= directory->parts.slot_count)
		return -EINVAL;
	for (uint32_t probes = 0; probes < directory->parts.capacity; probes++) {
		if (probes == PROBES_FREE && is_full(directory))
			return -ENOSPC;
		if (claim(directory, slot, advance(directory, slot), ret_conn_id)) {
			add_to_count(directory, slot, 1);
			return 0;
		}
	}
	return -ENOSPC;
}

void
directory_release(struct directory *directory, uint32_t conn_id)
{
	_Atomic uint64_t *entry;
	uint64_t word = directory_view_word(directory, conn_id, &entry);

	if (word == 0)
		return;
	/* Not a store of `word`: a close may be asked for in this instant. */
	atomic_fetch_and_explicit(entry, DIRECTORY_GENERATION_MASK, memory_order_acq_rel);
	failpoint("entry freed");
	add_to_count(directory, directory_view_slot(word), UINT32_MAX);
}

void
directory_clear_slot(struct directory *directory, unsigned slot)
{
	struct directory_slot *line;
	uint64_t owner = (uint64_t)(slot + 1) << DIRECTORY_SLOT_SHIFT;

	shlock_mend(&directory->parts.shared->lock);
	if (slot >= directory->parts.slot_count)
		return;
	for (uint32_t i = 0; i < directory->parts.capacity; i++) {
		_Atomic uint64_t *entry = &directory->parts.entries[i];

		if ((atomic_load_explicit(entry, memory_order_relaxed) & DIRECTORY_SLOT_MASK) !=
		    owner)
			continue;
		atomic_fetch_and_explicit(entry, DIRECTORY_GENERATION_MASK, memory_order_acq_rel);
		failpoint("entry freed");
	}
	/* It may have died between asking for a close and telling the owner: all look again. */
	for (unsigned i = 0; i < directory->parts.slot_count; i++)
		atomic_fetch_add_explicit(
		    &directory->parts.slots[i].closes_asked, 1, memory_order_release);
	line = &directory->parts.slots[slot];
	atomic_store_explicit(&line->count, 0, memory_order_relaxed);
	failpoint("count = 0");
	directory_close_requests(directory, slot);
}

/* --- questions ---------------------------------------------------------------------------- */

int
directory_find(const struct directory *directory, uint32_t conn_id, unsigned *ret_slot)
{
	_Atomic uint64_t *entry;
	uint64_t word = directory_view_word(directory, conn_id, &entry);

	if (word == 0)
		return -ENOENT;
	*ret_slot = directory_view_slot(word);
	return 0;
}

bool
directory_next(
    const struct directory *directory, unsigned slot, uint32_t *cursor, uint32_t *ret_conn_id)
{
	uint64_t owner = (uint64_t)(slot + 1) << DIRECTORY_SLOT_SHIFT;

	while (*cursor < directory->parts.capacity) {
		uint32_t index = (*cursor)++;
		uint64_t word =
		    atomic_load_explicit(&directory->parts.entries[index], memory_order_relaxed);

		if ((word & DIRECTORY_SLOT_MASK) != owner)
			continue;
		*ret_conn_id = directory_view_name(
		    directory, (uint32_t)(word & DIRECTORY_GENERATION_MASK), index);
		return true;
	}
	return false;
}

uint32_t
directory_count(const struct directory *directory, unsigned slot)
{
	if (slot >= directory->parts.slot_count)
		return 0;
	return atomic_load_explicit(&directory->parts.slots[slot].count, memory_order_relaxed);
}

uint32_t
directory_capacity(const struct directory *directory)
{
	return directory->parts.capacity;
}

uint64_t
directory_recoveries(const struct directory *directory)
{
	return shlock_recoveries(&directory->parts.shared->lock);
}

pid_t
directory_stuck_holder(struct directory *directory, uint64_t limit_ms)
{
	return shlock_stuck(&directory->parts.shared->lock, &directory->watch, limit_ms);
}
