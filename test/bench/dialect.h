/*
 * What each server is told and says over WebSocket: how a subscriber and a publisher begin, what
 * publishes a payload, and where in a message a delivery is. The payload itself is the same for all, so
 * that all are judged and timed alike.
 */
#pragma once

#include <stdint.h>

#include "base/span.h"
#include "client.h"

struct dialect {
	const char *name;
	const char *paths[ROLE_COUNT]; /* by role; NULL: not spoken */
	const char *protocol;	       /* Sec-WebSocket-Protocol, or NULL */
	/* The upgrade is done: sends what comes first. Whoever needs no answer is ready. */
	void (*greet)(struct client *client);
	/* A text or binary message came; calls client_is_ready, _delivered, _answered. */
	void (*take)(struct client *client, struct span message);
	/* Queues what publishes the payload; `number` is different each time. */
	void (*publish)(struct client *client, uint64_t number, struct span payload);
	/* Queues request `id`. */
	void (*ask)(struct client *client, uint64_t id);
	/* Queues request `id` for the method of a provider; NULL: there are none. */
	void (*call)(struct client *client, uint64_t id);
	/* Asks on which worker it is, and sets client.worker; a provider then serves bench.echo. */
	void (*locate)(struct client *client);
};

extern const struct dialect dialect_lurkbot, dialect_bare, dialect_nchan, dialect_mqtt,
    dialect_nats;

/* By name; NULL: there is none. */
const struct dialect *dialect_find(const char *name);

/*
 * For dialects of packets that lie in messages as in a stream: calls `one` with what has not been
 * consumed; it returns the bytes of the packet that it took, 0 when none is whole.
 */
void dialect_stream(
    struct client *client, struct span message, size_t (*one)(struct client *, struct span));
