/*
 * gateway.shutdown stands in the ring before the order to drain is given, so it is among the events up to
 * the ring's head when the order arrives: these are delivered before anybody is closed.  What others publish
 * meanwhile is not waited for.
 */
#include "worker/drain.h"

#include "base/list.h"
#include "bus/ring.h"
#include "gateway/connection.h"
#include "gateway/context.h"

void
drain_start(struct drain *drain, struct gateway *g, uint32_t timeout_ms, uint64_t now_ms)
{
	if (drain->started)
		return;
	drain->started = true;
	drain->deadline_ms = now_ms + timeout_ms;
	drain->last_seq = ring_head(g->ring);
	g->draining = true;
}

void
drain_tick(struct drain *drain, struct gateway *g, uint64_t now_ms)
{
	struct list *at, *tmp;
	bool late;

	if (!drain->started)
		return;
	late = now_ms >= drain->deadline_ms;
	if (!late && g->level_seq < drain->last_seq)
		return;
	LIST_FOREACH_SAFE (at, tmp, &g->connections) {
		struct connection *c = container_of(at, struct connection, link);

		if (late || (c->pending_count == 0 && list_is_empty(&c->lag)))
			connection_close(c, 1001, "The gateway stops");
	}
	if (late)
		drain_abort_all(g);
	drain->done = list_is_empty(&g->connections);
}

void
drain_abort_all(struct gateway *g)
{
	struct list *first;

	while ((first = list_first(&g->connections)) != NULL)
		connection_abort(container_of(first, struct connection, link), "The process ends");
}
