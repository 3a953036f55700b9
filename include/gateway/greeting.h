/*
 * What every client is told first, be it by hello-ok or as the first of its Server-Sent Events: who the gateway
 * is, and from where on events come (PROTOCOL section 3).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/jsonw.h"
#include "base/span.h"

struct connection;
struct gateway;

/* The last event that a client saw, where it named one. */
struct greeting_position {
	bool is_given;
	struct span epoch;
	uint64_t seq;
};

/*
 * Whether the position is one of this stream, and all that came after it is retained. It may be ahead of this
 * worker, where another one was faster.
 */
bool greeting_is_recovered(const struct gateway *gateway, const struct greeting_position *position);

/* Writes the member "server" into the object that the caller has open. */
void greeting_write_server(const struct connection *connection, struct jsonw *w);

/* The same with "resume"; "recovered" is a part of it where a position was given. */
void greeting_write_resume(const struct gateway *gateway, const struct greeting_position *position,
    bool recovered, struct jsonw *w);
