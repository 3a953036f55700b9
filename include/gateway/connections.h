/*
 * All connections of a worker, one after the other, whatever becomes of them meanwhile.
 */
#pragma once

#include <stdbool.h>

struct connection;
struct gateway;

/*
 * Called for each connection that there is when the visit begins, and has not ended by its turn. May end it and
 * any other, and open new ones. False: that is enough. Must not visit, or look through gateway.connections.
 */
typedef bool (*connections_visit_fn)(struct connection *connection, void *arg);

/* Calls it for each, in the order in which they stand, which stays. */
void connections_visit(struct gateway *gateway, connections_visit_fn act, void *arg);

/* Frees those that ended in this turn. Called when no callback is on the stack. */
void connections_bury(struct gateway *gateway);
