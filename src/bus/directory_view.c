/*
 * A process's view of the directory: how an id names an entry and a generation of it.
 *
 * index and generation make one number of 32 bits, which a bijection of this segment scrambles.
 */
#include "bus/directory_view.h"

#include <stdbool.h>

#include "base/macros.h"

enum {
	HALF_BITS = 16,
	NEWTON_STEPS = 5,
};

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

void
directory_view_set_factors(struct directory *directory, const uint32_t factors[2])
{
	for (unsigned i = 0; i < ARRAY_LEN(directory->factors); i++) {
		directory->factors[i] = factors[i];
		directory->inverses[i] = inverse_of(factors[i]);
	}
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

uint32_t
directory_view_name(const struct directory *directory, uint32_t generation, uint32_t index)
{
	return scramble(directory, generation << directory->index_bits | index);
}

static uint32_t
generation_max(const struct directory *directory)
{
	return UINT32_MAX >> directory->index_bits;
}

uint32_t
directory_view_next(const struct directory *directory, uint64_t word)
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
