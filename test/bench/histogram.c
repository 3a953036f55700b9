/*
 * Durations below 128 have a cell each; above, each power of two is cut into 128 cells of equal width.
 */
#include "histogram.h"

enum { CELLS_EACH = 1 << HISTOGRAM_BITS };

static unsigned
cell_of(uint64_t ns)
{
	unsigned shift;

	if (ns < CELLS_EACH)
		return (unsigned)ns;
	shift = 63 - (unsigned)__builtin_clzll(ns) - HISTOGRAM_BITS;
	return (shift + 1) * CELLS_EACH + ((unsigned)(ns >> shift) & (CELLS_EACH - 1));
}

/* The largest duration that falls into the cell. */
static uint64_t
top_of(unsigned cell)
{
	unsigned shift;

	if (cell < CELLS_EACH)
		return cell;
	shift = cell / CELLS_EACH - 1;
	return (((uint64_t)CELLS_EACH + cell % CELLS_EACH + 1) << shift) - 1;
}

void
histogram_add(struct histogram *h, uint64_t ns)
{
	h->count++;
	if (ns > h->max)
		h->max = ns;
	h->cells[cell_of(ns)]++;
}

uint64_t
histogram_quantile(const struct histogram *h, double share)
{
	double wanted = share * (double)h->count;
	uint64_t seen = 0;

	for (unsigned cell = 0; cell < HISTOGRAM_CELLS; cell++) {
		seen += h->cells[cell];
		if (seen > 0 && (double)seen >= wanted)
			return top_of(cell) < h->max ? top_of(cell) : h->max;
	}
	return h->max;
}
