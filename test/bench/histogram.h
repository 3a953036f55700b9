/*
 * How often each duration was seen, with an error below one part in 128, from nanoseconds to centuries,
 * in a table of fixed size.
 */
#pragma once

#include <stdint.h>

enum {
	HISTOGRAM_BITS = 7, /* of a value that count, after its leading one */
	HISTOGRAM_CELLS = (64 - HISTOGRAM_BITS + 1) << HISTOGRAM_BITS,
};

/* An all-zero struct is an empty histogram. */
struct histogram {
	uint64_t count, max;
	uint64_t cells[HISTOGRAM_CELLS];
};

/* Counts one duration. */
void histogram_add(struct histogram *histogram, uint64_t ns);

/*
 * The duration that `share` (0 to 1) of all did not exceed; 0 when there are none. Never less than
 * what was added, and at most one part in 128 more.
 */
uint64_t histogram_quantile(const struct histogram *histogram, double share);
