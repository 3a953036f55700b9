/*
 * A ring of records of one size in shared memory, which all processes write and nobody locks.
 *
 * Who writes takes the next number by one addition, and with it a cell that is his alone: nobody
 * waits, and a process that is killed at any instruction leaves a number whose record is missing,
 * and nothing else. The last `count` numbers can be read; a record that was overwritten, begun and
 * not finished, or spoilt, is missing to its reader.
 *
 *       0      8       64                 64 + size          64 + 2 size
 *       +------+-------+------------------+------------------+---- - -
 *       | last | spare | cell of number 1 | cell of number 2 |
 *       +------+-------+------------------+------------------+---- - -
 *
 * and each cell, of `size` bytes, a multiple of 64:
 *
 *       0        8       16                        size
 *       +--------+-------+-------------------------+
 *       | number | check | words                   |
 *       +--------+-------+-------------------------+
 *
 * number: 0 while the rest is being written, and written last. check: of the words, under the number.
 * Where a writer slept while the ring went round, and then wrote into the cell of another, the check
 * tells it.
 */
#pragma once

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CELLS_HEAD_WORDS = 2, /* number and check */
	CELLS_WORDS_MAX = 64, /* of a cell, its head included */
	CELLS_HEADER_BYTES = 64,
};

struct cells_shared {
	alignas(CELLS_HEADER_BYTES) _Atomic uint64_t last; /* the number that was taken last */
	uint64_t spare[7];
	_Atomic uint64_t words[]; /* of all cells */
};

static_assert(sizeof(struct cells_shared) == CELLS_HEADER_BYTES, "as drawn");

/* A process's view: plain values of its own. */
struct cells {
	struct cells_shared *shared;
	uint32_t count; /* cells */
	uint32_t words; /* of each, its head included */
};

/* Bytes of shared memory for so many cells of so many words. */
static inline uint64_t
cells_bytes(uint32_t count, uint32_t words)
{
	return CELLS_HEADER_BYTES + (uint64_t)count * words * sizeof(uint64_t);
}

/* Empties the ring: no number was taken yet. */
void cells_format(const struct cells *cells);

/* Takes the next `n` numbers, 1 to `count`; returns the first, 1 or more. */
uint64_t cells_take(const struct cells *cells, uint32_t n);

/*
 * Writes the record of a number that was taken: `words` - CELLS_HEAD_WORDS of them. Nothing is
 * written where the ring has gone round meanwhile.
 */
void cells_put(const struct cells *cells, uint64_t number, const uint64_t *record);

/*
 * Reads the record of a number. Returns false, with anything in `ret_record`, when it is not to be had: never
 * taken, not written, overwritten or spoilt.
 */
bool cells_get(const struct cells *cells, uint64_t number, uint64_t *ret_record);

/* The number that was taken last, 0: none; and the oldest whose cell is not another's yet. */
uint64_t cells_last(const struct cells *cells);
uint64_t cells_oldest(const struct cells *cells);
