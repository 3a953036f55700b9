/*
 * One pass over the slots for each question.  Numbers of different slots are read one after the other and
 * may be some microseconds apart.
 */
#include "gateway/census.h"

#include <stddef.h>

#include "base/clock.h"
#include "bus/counters.h"
#include "bus/segment.h"
#include "gateway/context.h"

static uint64_t
sum_gauge(const struct gateway *g, size_t offset)
{
	uint64_t sum = 0;

	for (unsigned slot = 0; slot < g->slots_in_use; slot++) {
		const char *counters = (const char *)segment_counters(g->segment, slot);

		sum += counters_get((const _Atomic uint64_t *)(const void *)(counters + offset));
	}
	return sum;
}

uint64_t
census_websockets(const struct gateway *g)
{
	return sum_gauge(g, offsetof(struct counters, websockets));
}

uint64_t
census_connections(const struct gateway *g)
{
	return sum_gauge(g, offsetof(struct counters, connections));
}

uint64_t
census_admin_subscribers(const struct gateway *g)
{
	return sum_gauge(g, offsetof(struct counters, admin_subscribers));
}

unsigned
census_workers_serving(const struct gateway *g)
{
	unsigned serving = 0;

	for (unsigned slot = 0; slot < g->slots_in_use; slot++) {
		struct roster_entry entry;

		roster_get(g->roster, slot, &entry);
		serving += entry.state == ROSTER_SERVING;
	}
	return serving;
}

unsigned
census_workers_wanted(const struct gateway *g)
{
	struct roster_gateway all;

	roster_get_gateway(g->roster, &all);
	return all.workers;
}

unsigned
census_worker_slots(const struct gateway *g)
{
	return segment_worker_slots(g->segment);
}

unsigned
census_slots_in_use(const struct gateway *g)
{
	return g->slots_in_use;
}

void
census_refresh(struct gateway *g)
{
	unsigned slots = census_worker_slots(g), used = census_workers_wanted(g);

	/* Those that are wanted count from the beginning, though some may only just start. */
	if (used > slots)
		used = slots;
	for (unsigned slot = used; slot < slots; slot++) {
		struct roster_entry entry;

		roster_get(g->roster, slot, &entry);
		if (entry.state != ROSTER_EMPTY)
			used = slot + 1;
	}
	g->slots_in_use = used;
}

uint64_t
census_uptime_ms(const struct gateway *g)
{
	struct roster_gateway all;
	uint64_t now_ms = clock_real_ms();

	roster_get_gateway(g->roster, &all);
	return now_ms > all.started_real_ms ? now_ms - all.started_real_ms : 0;
}

bool
census_is_stopping(const struct gateway *g)
{
	struct roster_gateway all;

	roster_get_gateway(g->roster, &all);
	return all.stopping;
}
