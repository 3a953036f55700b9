/*
 * clock_gettime can not fail for these two clocks, so there is no error to report.
 */
#include "base/clock.h"

#include <time.h>

enum { NS_PER_MS = 1000000, MS_PER_S = 1000 };

static const uint64_t ns_per_s = 1000000000;

uint64_t
clock_mono_ns(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * ns_per_s + (uint64_t)now.tv_nsec;
}

uint64_t
clock_mono_ms(void)
{
	return clock_mono_ns() / NS_PER_MS;
}

uint64_t
clock_real_ms(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * MS_PER_S + (uint64_t)now.tv_nsec / NS_PER_MS;
}
