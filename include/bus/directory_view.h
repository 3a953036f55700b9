/*
 * A process's view of the directory: what claiming and closing (src/bus/directory*.c) have in
 * common. For them and bus/segment alone.
 *
 * Invariants, whatever process dies at whatever instruction:
 *  - an entry belongs to the slot that stands in it, or to nobody; the word says all;
 *  - only the owner's process frees an entry, or the supervisor when that process is dead;
 *  - an id that was released names nobody until the generations of its entry have gone round (4095
 *    at 2^20 connections, more with fewer);
 *  - a reason is in use while the entry of its conn_id refers to it, and is not written to then.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "bus/layout.h"

#define DIRECTORY_GENERATION_MASK UINT64_C(0xffffffff)
#define DIRECTORY_SLOT_MASK	  (UINT64_C(0xffff) << DIRECTORY_SLOT_SHIFT)
#define DIRECTORY_CLOSE_MASK	  (UINT64_C(0xffff) << DIRECTORY_CLOSE_SHIFT)

/* Where the parts of a directory lie. */
struct directory_parts {
	struct directory_shared *shared;
	struct directory_slot *slots; /* `slot_count` lines */
	_Atomic uint64_t *entries;    /* `capacity` words */
	uint32_t capacity;
	unsigned slot_count;
};

/* Sizes, places and factors are private copies: nobody else can change them under our feet. */
struct directory {
	struct directory_parts parts;
	unsigned index_bits;
	uint32_t factors[2];
	uint32_t inverses[2];
	uint32_t cursor;      /* where this process looks for a free entry next */
	unsigned cursor_slot; /* the slot for which it was set; parts.slot_count: none */
	struct shlock_watch watch;
};

/* Remembers the factors of the scrambling, two odd numbers, and what undoes them. */
void directory_view_set_factors(struct directory *directory, const uint32_t factors[2]);

/* The id of entry `index` in its generation `generation`, which is not 0. */
uint32_t directory_view_name(
    const struct directory *directory, uint32_t generation, uint32_t index);

/* The generation that follows the one in a free entry's word: 1, 2, ... and round again. */
uint32_t directory_view_next(const struct directory *directory, uint64_t word);

/*
 * The word of a live connection and, in `ret_entry`, where it stands; 0 when there is none of
 * that id. Acquire: the reason that the word refers to is seen with it.
 */
uint64_t directory_view_word(
    const struct directory *directory, uint32_t conn_id, _Atomic uint64_t **ret_entry);

/* The owner's slot in the word of a live connection. */
static inline unsigned
directory_view_slot(uint64_t word)
{
	return (unsigned)((word & DIRECTORY_SLOT_MASK) >> DIRECTORY_SLOT_SHIFT) - 1;
}

/* Which close was asked for, 0 none. */
static inline uint64_t
directory_view_close(uint64_t word)
{
	return word >> DIRECTORY_CLOSE_SHIFT;
}
