/*
 * No pointer to a neighbour is kept across a call, since any of them may have ended in it: who is still to be
 * visited stands on a list of its own, which is left like any other.
 */
#include "gateway/connections.h"

#include "base/alloc.h"
#include "base/list.h"
#include "base/macros.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/exchange.h"
#include "proto/hello.h"

void
connections_visit(struct gateway *g, connections_visit_fn act, void *arg)
{
	struct list waiting, *first;
	bool is_enough = false;

	list_init(&waiting);
	list_append_all(&waiting, &g->connections);
	while (!is_enough && (first = list_first(&waiting)) != NULL) {
		list_remove(first);
		list_append(&g->connections, first);
		is_enough = !act(container_of(first, struct connection, link), arg);
	}
	list_append_all(&g->connections, &waiting);
}

void
connections_bury(struct gateway *g)
{
	struct list *first;

	while ((first = list_first(&g->graveyard)) != NULL) {
		struct connection *c = container_of(first, struct connection, link);

		list_remove(first);
		deadline_clear(&c->deadline);
		traffic_return(g, c->traffic);
		hello_free(c->hello);
		exchange_free(c->exchange);
		mem_free(c);
	}
}
