/*
 * The table of methods.  It is searched by bisection and listed in its own order, so it must stay sorted.
 */
#include "gateway/methods.h"

#include <assert.h>
#include <string.h>

#include "base/macros.h"
#include "bus/counters.h"
#include "gateway/method_connections.h"
#include "gateway/method_events.h"
#include "gateway/method_health.h"
#include "gateway/method_sessions.h"

static const struct method methods[] = {
	{ "connections.close", METHOD_ADMIN, method_connections_close },
	{ "connections.list", METHOD_READ, method_connections_list },
	{ "events.publish", METHOD_WRITE, method_events_publish },
	{ "events.subscribe", METHOD_READ, method_events_subscribe },
	{ "health", METHOD_READ, method_health },
	{ "methods.list", METHOD_READ, method_methods_list },
	{ "sessions.list", METHOD_READ, method_sessions_list },
	{ "status", METHOD_READ, method_status },
};

static_assert(ARRAY_LEN(methods) <= METHOD_OTHER, "the metrics have a row for each method");
static_assert((int)METHOD_OTHER < (int)COUNTERS_METHODS, "and one for all other names");

unsigned
methods_count(void)
{
	return ARRAY_LEN(methods);
}

const struct method *
method_at(unsigned index)
{
	return &methods[index];
}

unsigned
method_find(struct span name)
{
	unsigned low = 0, high = ARRAY_LEN(methods);

	while (low < high) {
		unsigned middle = (low + high) / 2;
		struct span candidate = span_cstr(methods[middle].name);
		size_t shorter = name.n < candidate.n ? name.n : candidate.n;
		int order = memcmp(name.p, candidate.p, shorter);

		if (order == 0 && name.n == candidate.n)
			return middle;
		if (order < 0 || (order == 0 && name.n < candidate.n))
			high = middle;
		else
			low = middle + 1;
	}
	return METHOD_OTHER;
}

const char *
method_scope_name(enum method_scope scope)
{
	static const char *const names[] = { "read", "write", "admin", "provider" };

	return names[scope];
}
