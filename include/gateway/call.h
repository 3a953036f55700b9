/*
 * One call, for src/gateway/call*.c alone: what it consists of, its seat, and its mail.
 *
 * A call is WAITING on the lines of what it waits for, LOCKED while the lock of the seats, or room for its mail,
 * was not to be had,
 * SENT in a bucket of its token, or OWED: nobody waits for it any more, but its seat is not given back or its
 * cancel not sent yet. Seats are taken before the mail is sent and given back when the call is over.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/macros.h"
#include "base/span.h"
#include "bus/providers.h"
#include "bus/seats.h"
#include "gateway/callsink.h"

struct gateway;

enum { CALL_BUCKETS = 1024 };

enum call_state { CALL_WAITING, CALL_LOCKED, CALL_SENT, CALL_OWED };

struct call {
	struct list link; /* a bucket; or calls.locked, calls.owed */
	struct list line; /* while it waits: a line of its method or provider */
	struct list all;  /* and calls.waiting */
	struct gateway *gateway;
	const struct call_sink *sink;
	void *owner;
	enum call_state state;
	bool has_seat, needs_cancel, has_reserve, has_waited;
	uint64_t token;
	uint64_t ticket; /* of bus/idempotency, 0: none */
	uint64_t number; /* in the order of arrival */
	uint32_t timeout_ms;
	uint64_t end_ms; /* what the provider is told of a call that has waited is what is left */
	struct seats_place place; /* of its seat; or of the provider of its session */
	unsigned method;	  /* while it waits: its place in the routes */
	unsigned provider;	  /* and, where it has a session, that of its provider */
	unsigned slot;		  /* the provider's worker */
	uint32_t generation;
	struct span name, session_key, text; /* text: heap, while it is not sent */
};

struct calls {
	struct list buckets[CALL_BUCKETS];
	struct list waiting, locked, owed;
	struct list
	    stalled; /* those that waited, and found no room in a mailbox when it was their turn */
	struct list by_method[PROVIDERS_METHODS]; /* those without a session */
	struct list by_provider[PROVIDERS_MAX];	  /* those with */
	uint64_t numbers;
	uint64_t news;
	uint32_t tokens;
	unsigned turn;
	unsigned waiting_count, sent_count;
	size_t waiting_bytes; /* of the texts that are kept */
	unsigned reserves,
	    reserved_count; /* rooms kept in the mailbox, and calls that have a share */
	struct buf text, body;
};

/* A new one, LOCKED, on no list. NULL without memory. */
struct call *call_new(struct gateway *gateway, const struct call_request *request,
    const struct call_sink *sink, void *owner) must_check;

/* Frees it and its text; it is on no line. */
void call_free(struct call *call);

/* Gives a seat back, for what was granted and not used too; false when that has to be tried again. */
bool call_give_seat_back(
    struct gateway *gateway, const struct seats_place *place, bool is_granted) must_check;

/*
 * The call has a seat at call->place: sends it to the worker of `provider`, a place in the routes. Returns 0; 1 +
 * a call_failure; -EAGAIN: to be tried again. The seat is given back where it is not 0.
 */
int call_send(struct call *call, unsigned provider, struct span text) must_check;

/* Nobody waits for it: what others must still learn of it is done now or as soon as it can be. On no line. */
void call_retire(struct call *call);

/* As call_retire, and tells the sink that there will be no answer. */
void call_fail(struct call *call, enum call_failure failure);
