/*
 * Names of the outcomes, which are part of what operators graph: do not rename.
 */
#include "gateway/outcomes.h"

#include <assert.h>

#include "bus/counters.h"
#include "gateway/connection.h"
#include "gateway/context.h"

static_assert((int)OUTCOME_COUNT <= (int)COUNTERS_HANDSHAKES, "each outcome has a counter");

const char *
outcome_name(enum outcome outcome)
{
	static const char *const names[OUTCOME_COUNT] = {
		[OUTCOME_OK] = "ok",
		[OUTCOME_ECHO] = "echo",
		[OUTCOME_BAD_REQUEST] = "bad-request",
		[OUTCOME_BAD_ORIGIN] = "bad-origin",
		[OUTCOME_FULL] = "full",
		[OUTCOME_BAD_HELLO] = "bad-hello",
		[OUTCOME_TIMEOUT] = "timeout",
		[OUTCOME_LEFT] = "left",
		[OUTCOME_UNAUTHORIZED] = "unauthorized",
		[OUTCOME_BAD_HOST] = "bad-host",
		[OUTCOME_CROWDED] = "crowded",
		[OUTCOME_STREAM] = "stream",
	};

	return names[outcome];
}

void
outcome_settle(struct connection *c, enum outcome outcome)
{
	if (c->settled)
		return;
	c->settled = true;
	counters_add(&c->gateway->counters->handshakes[outcome], 1);
}
