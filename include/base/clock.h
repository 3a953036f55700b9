/*
 * The two clocks: the monotonic one for intervals and deadlines, the same for all processes of the
 * machine until it reboots, and the real one for what people and clients see.
 */
#pragma once

#include <stdint.h>

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t clock_mono_ns(void);

/* Milliseconds of CLOCK_MONOTONIC, rounded down. */
uint64_t clock_mono_ms(void);

/* Milliseconds since 1970 UTC, rounded down; may jump when the clock is set. */
uint64_t clock_real_ms(void);
