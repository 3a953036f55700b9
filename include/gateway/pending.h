/*
 * Requests whose answer comes later: each is answered exactly once, by whoever holds it, by its
 * time-out, or by the client's cancel; when the client goes, its owner is told.
 */
#pragma once

#include <stdint.h>

#include "base/list.h"
#include "base/macros.h"
#include "gateway/answer.h"

struct gateway;
struct pending;

/* The client waits no more (gone, cancelled, timed out): the owner lets go.  The pending is freed. */
typedef void (*pending_gone_fn)(struct pending *pending);

struct pending {
	struct list of_connection;
	struct list of_gateway;
	struct answer answer; /* its id is owned */
	uint64_t deadline_ms;
	pending_gone_fn on_gone;
	void *owner;
};

/*
 * Keeps a request: copies its id and counts it as in flight.  timeout_ms counts from now.  on_gone is
 * called with owner set when it ends otherwise than by pending_detach.  NULL without memory.
 */
struct pending *pending_new(const struct answer *answer, uint32_t timeout_ms,
    pending_gone_fn on_gone, void *owner) must_check;

/*
 * Takes it off its lists before the owner answers through &pending->answer: an answer can end the
 * connection, and that must not end this request a second time.  pending_free follows.
 */
void pending_detach(struct pending *pending);

/* Frees a detached one. */
void pending_free(struct pending *pending);

/* The request of this id that the connection waits for, or NULL. */
struct pending *pending_find(struct connection *connection, struct span id);

/* Answers UNAVAILABLE, reason cancelled, and ends it. */
void pending_cancel(struct pending *pending);

/* Ends all requests of a connection that closes, unanswered. */
void pending_abandon_all(struct connection *connection);

/* Answers AGENT_TIMEOUT to the requests whose time is up (now_ms: CLOCK_MONOTONIC). */
void pendings_expire(struct gateway *gateway, uint64_t now_ms);
