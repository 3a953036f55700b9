/*
 * A bucket is one number, the time at which it is full: so nothing has to be filled up by a timer.
 */
#include "gateway/limits.h"

#include <assert.h>

#include "base/macros.h"
#include "bus/counters.h"
#include "gateway/context.h"

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

static_assert((int)LIMIT_COUNT <= (int)COUNTERS_LIMITS, "each limit has a counter");

static const char *const names[LIMIT_COUNT] = {
	[LIMIT_AUTH_FAILURES] = "auth_failures",
	[LIMIT_CONNECTIONS_PER_IP] = "connections_per_ip",
	[LIMIT_HANDSHAKES_PER_IP] = "handshakes_per_ip",
	[LIMIT_HEADER] = "header",
	[LIMIT_HELLO] = "hello",
	[LIMIT_REQUESTS] = "requests",
	[LIMIT_PUBLISHED_BYTES] = "published_bytes",
	[LIMIT_PINGS] = "pings",
	[LIMIT_MESSAGE_TIME] = "message_time",
	[LIMIT_ADDRESSES] = "addresses",
};

const char *
limit_name(enum limit limit)
{
	return names[limit];
}

void
limits_count(const struct gateway *g, enum limit limit)
{
	counters_add(&g->counters->limits[limit], 1);
}

uint32_t
limits_take(struct limits_bucket *bucket, uint64_t per_s, uint64_t amount, uint64_t now_ns)
{
	uint64_t missing_ns = bucket->full_at_ns > now_ns ? bucket->full_at_ns - now_ns : 0;

	if (per_s == 0)
		return 0;
	if (missing_ns >= NS_PER_S)
		return (uint32_t)min_u64((missing_ns - NS_PER_S) / NS_PER_MS + 1, UINT32_MAX);
	/* Whole seconds apart from the rest, so that nothing overflows. */
	bucket->full_at_ns =
	    now_ns + missing_ns + amount / per_s * NS_PER_S + amount % per_s * NS_PER_S / per_s;
	return 0;
}
