/*
 * Why this file exists: the one rule of restarting that can be wrong in quiet, kept apart to be
 * tested.
 */
#include "supervisor/backoff.h"

#include "base/macros.h"

static bool
died_early(const struct backoff_life *life)
{
	return life->ready_ms == 0 || life->ended_ms - life->ready_ms < BACKOFF_INFANCY_MS;
}

uint32_t
backoff_after(struct backoff *backoff, const struct backoff_life *life)
{
	if (!died_early(life)) {
		backoff->last_ms /= 2;
		if (backoff->last_ms < BACKOFF_FIRST_MS ||
		    life->ended_ms - life->started_ms >= BACKOFF_FORGOTTEN_MS)
			backoff->last_ms = 0;
		return 0;
	}
	if (backoff->last_ms == 0)
		backoff->last_ms = BACKOFF_FIRST_MS;
	else
		backoff->last_ms =
		    (uint32_t)min_size((size_t)backoff->last_ms * 2, BACKOFF_LONGEST_MS);
	return backoff->last_ms;
}
