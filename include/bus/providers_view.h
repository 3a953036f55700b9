/*
 * A process's view of the providers: what the directory (src/bus/providers.c) and the seats
 * (src/bus/seats.c) have in common. For them and bus/segment alone.
 *
 * Invariants, whatever process dies at whatever instruction:
 *  - a line is written by the process of its slot alone, and freed by it or, when that is dead, by the
 *    supervisor;
 *  - the seats that a process's callers have stand in a place of that process, so that they go with it:
 *    how many a provider has is always a sum, never a number that could be left wrong;
 *  - every number read from shared memory that is used as an index is compared with its bound first.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bus/layout.h"

/* Where the parts lie. */
struct providers_parts {
	struct providers_shared *shared;
	struct providers_slot *slots; /* `slot_count` of them */
	unsigned slot_count;
};

struct providers {
	struct providers_parts parts;
	struct shlock_watch watch;
};

/* Rows and slots that were ever used, within their bounds. */
static inline unsigned
providers_view_rows(const struct providers *providers)
{
	uint32_t used =
	    atomic_load_explicit(&providers->parts.shared->rows_used, memory_order_relaxed);

	return used < PROVIDERS_MAX ? used : PROVIDERS_MAX;
}

static inline unsigned
providers_view_slots(const struct providers *providers)
{
	uint32_t used =
	    atomic_load_explicit(&providers->parts.shared->slots_used, memory_order_relaxed);

	return used < providers->parts.slot_count ? used : providers->parts.slot_count;
}

/* Tells the process of a slot, or all, that something changed; then bell_ring. */
static inline void
providers_view_tell(struct providers *providers, unsigned slot)
{
	/* Release: who sees the count sees the change. */
	atomic_fetch_add_explicit(&providers->parts.slots[slot].news, 1, memory_order_release);
}

static inline void
providers_view_tell_all(struct providers *providers)
{
	for (unsigned slot = 0; slot < providers->parts.slot_count; slot++)
		providers_view_tell(providers, slot);
}
