/*
 * Counters and gauges in shared memory: what is more than one load and one store.
 */
#include "bus/counters.h"

/* By factors of 2 to 2.5 where answers usually come, coarse beyond. */
const uint64_t counters_bounds_ns[COUNTERS_BUCKETS] = {
	25000,
	50000,
	100000,
	250000,
	500000,
	1000000,
	2500000,
	5000000,
	10000000,
	25000000,
	50000000,
	100000000,
	500000000,
	2000000000,
	10000000000,
	UINT64_MAX,
};

void
counters_observe(struct counters_histogram *histogram, uint64_t ns)
{
	unsigned i = 0;

	while (ns > counters_bounds_ns[i])
		i++;
	counters_add(&histogram->buckets[i], 1);
	counters_add(&histogram->sum_ns, ns);
	counters_add(&histogram->count, 1);
}

unsigned
counters_close_bucket(uint16_t code)
{
	if (code >= 1000 && code <= 1013)
		return code - 1000u;
	return code == 0 ? 15 : 14;
}

void
counters_clear_gauges(struct counters *counters)
{
	/* Its sockets closed with it, without a Close frame. */
	uint64_t lost = counters_get(&counters->accepted) - counters_get(&counters->closed);

	counters_add(&counters->closed, lost);
	counters_add(&counters->closes[counters_close_bucket(0)], lost);
	counters_set(&counters->connections, 0);
	counters_set(&counters->websockets, 0);
	counters_set(&counters->admin_subscribers, 0);
	counters_set(&counters->catching_up, 0);
	counters_set(&counters->calls_waiting, 0);
	counters_set(&counters->jobs, 0);
}
