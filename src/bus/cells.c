/*
 * Records that nobody waits for.
 *
 * The order of a cell's stores is that of a sequence lock whose number is never used twice: number = 0, the
 * rest, number. A reader looks at the number before and after its copy, and at the check: two writers in
 * one cell, of which one slept for a whole round, would get past the number alone.
 */
#include "bus/cells.h"

#include "base/failpoint.h"
#include "bus/checksum.h"

#define LOAD(word)	   atomic_load_explicit(word, memory_order_relaxed)
#define STORE(word, value) atomic_store_explicit(word, value, memory_order_relaxed)

enum { NUMBER, CHECK };

static _Atomic uint64_t *
cell_of(const struct cells *cells, uint64_t number)
{
	return &cells->shared->words[(number - 1) % cells->count * cells->words];
}

static uint64_t
check_of(const struct cells *cells, uint64_t number, const uint64_t *record)
{
	return checksum_bytes(record, (cells->words - CELLS_HEAD_WORDS) * sizeof(*record), number);
}

void
cells_format(const struct cells *cells)
{
	for (uint32_t i = 0; i < cells->count; i++)
		STORE(&cells->shared->words[i * cells->words], 0);
	STORE(&cells->shared->last, 0);
}

uint64_t
cells_take(const struct cells *cells, uint32_t n)
{
	uint64_t before = atomic_fetch_add_explicit(&cells->shared->last, n, memory_order_relaxed);

	failpoint("last");
	return before + 1;
}

void
cells_put(const struct cells *cells, uint64_t number, const uint64_t *record)
{
	_Atomic uint64_t *cell = cell_of(cells, number);

	/* One that is no number yet was not written by anybody: that must not stop us. */
	if (LOAD(&cell[NUMBER]) > number && LOAD(&cell[NUMBER]) <= cells_last(cells))
		return;
	STORE(&cell[NUMBER], 0);
	failpoint("number = 0");
	/* No store of the rest is seen before that one. */
	atomic_thread_fence(memory_order_release);
	for (uint32_t i = CELLS_HEAD_WORDS; i < cells->words; i++)
		STORE(&cell[i], record[i - CELLS_HEAD_WORDS]);
	failpoint("words");
	STORE(&cell[CHECK], check_of(cells, number, record));
	failpoint("check");
	atomic_store_explicit(&cell[NUMBER], number, memory_order_release);
	failpoint("number");
}

bool
cells_get(const struct cells *cells, uint64_t number, uint64_t *ret_record)
{
	const _Atomic uint64_t *cell;
	uint64_t check;

	if (number == 0)
		return false;
	cell = cell_of(cells, number);
	if (atomic_load_explicit(&cell[NUMBER], memory_order_acquire) != number)
		return false;
	for (uint32_t i = CELLS_HEAD_WORDS; i < cells->words; i++)
		ret_record[i - CELLS_HEAD_WORDS] = LOAD(&cell[i]);
	check = LOAD(&cell[CHECK]);
	atomic_thread_fence(memory_order_acquire);
	return LOAD(&cell[NUMBER]) == number && check == check_of(cells, number, ret_record);
}

uint64_t
cells_last(const struct cells *cells)
{
	return atomic_load_explicit(&cells->shared->last, memory_order_relaxed);
}

uint64_t
cells_oldest(const struct cells *cells)
{
	uint64_t last = cells_last(cells);

	return last > cells->count ? last - cells->count + 1 : 1;
}
