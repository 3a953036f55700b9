/*
 * The namespaces of PROTOCOL section 5.
 */
#include "gateway/namespaces.h"

#include <string.h>

#include "bus/counters.h"

static const struct {
	const char *name;
	bool open;
} namespaces[COUNTERS_NAMESPACES] = {
	{ "agent", true },
	{ "channel", true },
	{ "session", false }, /* but for session.message */
	{ "cron", false },
	{ "config", false },
	{ "skill", false },
	{ "hook", false },
	{ "gateway", false },
	{ "other", true },
};

unsigned
namespace_index(struct span event)
{
	const char *dot = memchr(event.p, '.', event.n);
	struct span first = span_make(event.p, dot == NULL ? event.n : (size_t)(dot - event.p));

	for (unsigned i = 0; i < COUNTERS_NAMESPACES - 1; i++)
		if (span_is(first, namespaces[i].name))
			return i;
	return COUNTERS_NAMESPACES - 1;
}

const char *
namespace_name(unsigned index)
{
	return namespaces[index].name;
}

bool
namespace_is_open(struct span event)
{
	return namespaces[namespace_index(event)].open || span_is(event, "session.message");
}
