/*
 * A pending stands on two lists: its connection's, which ends with the connection, and the gateway's,
 * which the time-outs walk.  Both are left together, in pending_detach; those whose time is up stand on a list
 * of their own for a moment, instead of the gateway's.
 */
#include "gateway/pending.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/keep.h"

struct pending *
pending_new(const struct answer *answer, uint32_t timeout_ms, pending_gone_fn on_gone, void *owner)
{
	struct pending *pending = mem_zalloc(sizeof(*pending) + answer->id.n);
	struct connection *c = answer->connection;
	char *id;

	if (pending == NULL)
		return NULL;
	id = (char *)(pending + 1);
	memcpy(id, answer->id.p, answer->id.n);
	pending->answer = *answer;
	pending->answer.id = span_make(id, answer->id.n);
	pending->deadline_ms = clock_mono_ms() + timeout_ms;
	pending->on_gone = on_gone;
	pending->owner = owner;
	list_append(&c->pendings, &pending->of_connection);
	list_append(&c->gateway->pendings, &pending->of_gateway);
	c->pending_count++;
	return pending;
}

void
pending_detach(struct pending *pending)
{
	pending->answer.connection->pending_count--;
	list_remove(&pending->of_connection);
	list_remove(&pending->of_gateway);
}

void
pending_free(struct pending *pending)
{
	mem_free(pending);
}

static void
let_go(struct pending *pending)
{
	pending->on_gone(pending);
	pending_free(pending);
}

struct pending *
pending_find(struct connection *c, struct span id)
{
	struct list *at;

	LIST_FOREACH (at, &c->pendings) {
		struct pending *pending = container_of(at, struct pending, of_connection);

		if (span_is_equal(pending->answer.id, id))
			return pending;
	}
	return NULL;
}

void
pending_cancel(struct pending *pending)
{
	pending_detach(pending);
	answer_fail(&pending->answer, ERROR_UNAVAILABLE, "cancelled", NULL,
	    "The request was cancelled by its client");
	let_go(pending);
}

void
pending_abandon_all(struct connection *c)
{
	struct list *first;

	while ((first = list_first(&c->pendings)) != NULL) {
		struct pending *pending = container_of(first, struct pending, of_connection);

		pending_detach(pending);
		pending->on_gone(pending);
		/* Unless somebody took it over, there will be no answer to keep. */
		keep_nothing(c->gateway, pending->answer.ticket);
		pending_free(pending);
	}
}

void
pendings_expire(struct gateway *g, uint64_t now_ms)
{
	struct list expired, *at, *tmp, *first;

	list_init(&expired);
	LIST_FOREACH_SAFE (at, tmp, &g->pendings) {
		if (container_of(at, struct pending, of_gateway)->deadline_ms > now_ms)
			continue;
		list_remove(at);
		list_append(&expired, at);
	}
	/* An answer that ends its connection takes that one's others off this list, too. */
	while ((first = list_first(&expired)) != NULL) {
		struct pending *pending = container_of(first, struct pending, of_gateway);

		pending_detach(pending);
		answer_fail(&pending->answer, ERROR_AGENT_TIMEOUT, "timeout", NULL,
		    "No answer within timeoutMs; ask again with a longer one");
		let_go(pending);
	}
}
