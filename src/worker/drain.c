/*
 * gateway.shutdown stands in the ring before the order to drain is given, so it is among the events up to
 * the ring's head when the order arrives: these are delivered before anybody is closed.  What others publish
 * meanwhile is not waited for.
 */
#include "worker/drain.h"

#include <limits.h>

#include "base/list.h"
#include "bus/counters.h"
#include "bus/ring.h"
#include "gateway/catchup.h"
#include "gateway/connection.h"
#include "gateway/connections.h"
#include "gateway/context.h"
#include "gateway/jobs.h"
#include "gateway/notice.h"

enum {
	/* Of the connections that are left a worker that retires closes so many each tick. */
	GROUP_SHARE = 20,
	GROUP_LEAST = 8,
};

static void
begin(struct drain *drain, const struct gateway *g, uint32_t timeout_ms, uint64_t now_ms)
{
	drain->started = true;
	drain->deadline_ms = now_ms + timeout_ms;
	drain->last_seq = ring_head(g->ring);
}

void
drain_start(struct drain *drain, struct gateway *g, uint32_t timeout_ms, uint64_t now_ms)
{
	if (drain->started && !drain->retiring)
		return;
	drain->retiring = false;
	begin(drain, g, timeout_ms, now_ms);
	g->draining = true;
}

void
drain_retire(struct drain *drain, struct gateway *g, uint32_t timeout_ms, uint64_t now_ms)
{
	if (drain->started)
		return;
	drain->retiring = true;
	begin(drain, g, timeout_ms, now_ms);
}

/* Whether nothing is owed to the connection. */
static bool
is_settled(const struct connection *c)
{
	return c->pending_count == 0 && jobs_count(c) == 0 && list_is_empty(&c->lag);
}

static void
close_one(const struct drain *drain, struct gateway *g, struct connection *c)
{
	if (!drain->retiring) {
		connection_close(c, LEDGER_DRAIN, 1001, "The gateway stops");
		return;
	}
	if (c->state == CONNECTION_OPEN && c->audience != NULL)
		notice_retirement(c, catchup_seq(c), g->level_at_ms);
	connection_close(c, LEDGER_RETIRE, 1012, "This worker retires; come back at once");
}

/* How many may be closed in this tick. */
static unsigned
group_of(const struct drain *drain, const struct gateway *g, bool late)
{
	if (!drain->retiring || late)
		return UINT_MAX;
	return (unsigned)(counters_get(&g->counters->connections) / GROUP_SHARE) + GROUP_LEAST;
}

struct group {
	const struct drain *drain;
	unsigned left;
	bool late;
};

static bool
close_in_turn(struct connection *c, void *arg)
{
	struct group *group = arg;

	if (c->state == CONNECTION_OPEN && (group->late || is_settled(c))) {
		close_one(group->drain, c->gateway, c);
		group->left--;
	}
	return group->left > 0;
}

static void
close_some(const struct drain *drain, struct gateway *g, bool late)
{
	struct group group = { .drain = drain, .left = group_of(drain, g, late), .late = late };

	connections_visit(g, close_in_turn, &group);
}

void
drain_tick(struct drain *drain, struct gateway *g, uint64_t now_ms)
{
	bool late;

	if (!drain->started)
		return;
	late = now_ms >= drain->deadline_ms;
	if (!late && g->level_seq < drain->last_seq)
		return;
	close_some(drain, g, late);
	if (late)
		drain_abort_all(g);
	drain->done = list_is_empty(&g->connections);
}

void
drain_abort_all(struct gateway *g)
{
	struct list *first;

	while ((first = list_first(&g->connections)) != NULL)
		connection_abort(container_of(first, struct connection, link),
		    g->draining ? LEDGER_DRAIN : LEDGER_RETIRE, "The process ends");
}
