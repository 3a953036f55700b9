/*
 * How long a child that died waits before it is started again. Pure: it knows no clock.
 *
 * At once, as a rule. One that died before it was ready or within 1 s of it waits 100 ms, twice
 * as long each time, 5 s at most. A longer life takes one doubling back, one of 10 s all of them: who is
 * killed often, and not by its own fault, lives long enough in between for its waits to stay short.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
	BACKOFF_FIRST_MS = 100,
	BACKOFF_LONGEST_MS = 5000,
	BACKOFF_INFANCY_MS = 1000, /* after READY; who dies in it died early */
	BACKOFF_FORGOTTEN_MS = 10000,
};

/* Zero-initialised: nothing happened yet. */
struct backoff {
	uint32_t last_ms;
};

/* One life of the child, in milliseconds of one clock. */
struct backoff_life {
	uint64_t started_ms;
	uint64_t ready_ms; /* 0: it never was */
	uint64_t ended_ms;
};

/*
 * Takes note of a life that ended, and returns how long to wait before the next: 0, or 100 to
 * 5000.
 */
uint32_t backoff_after(struct backoff *backoff, const struct backoff_life *life);
