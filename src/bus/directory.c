/*
 * The directory of connections: one word for each, compare-and-swap, no lock.
 *
 * The invariants stand in bus/directory_view.h; asking for a close has a file of its own.
 */
#include "bus/directory.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/random.h"
#include "bus/directory_view.h"
#include "bus/layout.h"

enum {
	PROBES_FREE = 64, /* entries looked at before asking whether there is a free one at all */
	HALF_BITS = 16,
	NEWTON_STEPS = 5,
};

/* --- names of entries ------------------------------------------------------------------------- */

/*
 * The number that times an odd `factor` is 1, modulo 2^32: each step doubles the bits that are
 * right.
 */
static uint32_t
inverse_of(uint32_t factor)
{
	uint32_t inverse = factor;

	for (unsigned i = 0; i < NEWTON_STEPS; i++)
		inverse *= 2 - factor * inverse;
	return inverse;
}

/* A bijection that leaves 0, which is never given, where it is. */
static uint32_t
scramble(const struct directory *directory, uint32_t raw)
{
	uint32_t x = raw * directory->factors[0];

	x ^= x >> HALF_BITS;
	return x * directory->factors[1];
}

static uint32_t
unscramble(const struct directory *directory, uint32_t conn_id)
{
	uint32_t x = conn_id * directory->inverses[1];

	x ^= x >> HALF_BITS;
	return x * directory->inverses[0];
}

static uint32_t
generation_max(const struct directory *directory)
{
	return UINT32_MAX >> directory->index_bits;
}

static uint32_t
next_generation(const struct directory *directory, uint64_t word)
{
	uint32_t generation = (uint32_t)(word & DIRECTORY_GENERATION_MASK);

	return generation < generation_max(directory) ? generation + 1 : 1;
}

/* The entry that an id can only mean, and the generation that must stand there; NULL: none. */
static _Atomic uint64_t *
entry_of(const struct directory *directory, uint32_t conn_id, uint32_t *ret_generation)
{
	uint32_t raw = unscramble(directory, conn_id);
	uint32_t index = raw & ((UINT32_C(1) << directory->index_bits) - 1);

	if (index >= directory->parts.capacity)
		return NULL;
	*ret_generation = raw >> directory->index_bits;
	return &directory->parts.entries[index];
}

/* Whether the word is that of a live connection with this generation. */
static bool
is_live(const struct directory *directory, uint64_t word, uint32_t generation)
{
	uint64_t slot_and_one = (word & DIRECTORY_SLOT_MASK) >> DIRECTORY_SLOT_SHIFT;

	return generation != 0 && (word & DIRECTORY_GENERATION_MASK) == generation &&
	       slot_and_one != 0 && slot_and_one <= directory->parts.slot_count;
}

uint64_t
directory_view_word(
    const struct directory *directory, uint32_t conn_id, _Atomic uint64_t **ret_entry)
{
	uint32_t generation;
	_Atomic uint64_t *entry = entry_of(directory, conn_id, &generation);
	uint64_t word;

	if (entry == NULL)
		return 0;
	word = atomic_load_explicit(entry, memory_order_acquire);
	*ret_entry = entry;
	return is_live(directory, word, generation) ? word : 0;
}

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
	int r = random_bytes(directory->factors, sizeof(directory->factors));

	if (r < 0)
		return r;
	for (unsigned i = 0; i < ARRAY_LEN(directory->factors); i++) {
		directory->factors[i] |= 1;
		directory->inverses[i] = inverse_of(directory->factors[i]);
	}
	memset(parts->shared, 0, sizeof(*parts->shared));
	memset(parts->slots, 0, parts->slot_count * sizeof(parts->slots[0]));
	memset((void *)parts->entries, 0, parts->capacity * sizeof(parts->entries[0]));
	memcpy(parts->shared->factors, directory->factors, sizeof(directory->factors));
	return shlock_init(&parts->shared->lock);
}

/* --- claiming ----------------------------------------------------------------------------- */

/* Adds to the count of a slot, which only that slot's process changes. */
static void
add_to_count(struct directory *directory, unsigned slot, uint32_t n)
{
	_Atomic uint32_t *count = &directory->parts.slots[slot].count;

	atomic_store_explicit(
	    count, atomic_load_explicit(count, memory_order_relaxed) + n, memory_order_relaxed);
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
	uint32_t generation = next_generation(directory, word);
	uint64_t mine = generation | (uint64_t)(slot + 1) << DIRECTORY_SLOT_SHIFT;

	if ((word & DIRECTORY_SLOT_MASK) != 0)
		return false;
	if (!atomic_compare_exchange_strong_explicit(
		entry, &word, mine, memory_order_acq_rel, memory_order_relaxed))
		return false;
	*ret_conn_id = scramble(directory, generation << directory->index_bits | index);
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

		if ((atomic_load_explicit(entry, memory_order_relaxed) & DIRECTORY_SLOT_MASK) ==
		    owner)
			atomic_fetch_and_explicit(
			    entry, DIRECTORY_GENERATION_MASK, memory_order_acq_rel);
	}
	line = &directory->parts.slots[slot];
	atomic_store_explicit(&line->count, 0, memory_order_relaxed);
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
