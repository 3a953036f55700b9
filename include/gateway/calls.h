/*
 * Calls: requests to providers, as the worker of whoever asks sees them.
 *
 *	calls_start ──seat free──▶ SENT ──answer, or the provider is gone──▶ the sink is told, over
 *	      └──none free──▶ WAITING ──seat granted──▶ SENT
 *	call_cancel: over at once; the provider gets its cancel as soon as there is room
 *
 * Who asked is a sink and its owner: a WebSocket's request (gateway/requests), or whatever else asks. The sink
 * is told exactly one of on_result, on_error and on_failure, never from inside calls_start, and nothing after
 * call_cancel.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/span.h"
#include "proto/errors.h"

struct call;
struct calls;
struct gateway;
struct mail;

/* Why there will be no answer of the provider's. */
enum call_failure {
	CALL_PROVIDER_GONE, /* it has gone, or all of them while the request waited */
	CALL_NO_ROOM,	    /* the mailbox of its worker is full */
	CALL_TOO_LARGE,
	CALL_BUSY, /* SEATS_LINE_MAX requests wait already */
	CALL_NO_METHOD,
	CALL_NO_MEMORY,
	CALL_FAILURES,
};

struct call_sink {
	/* JSON text, as the provider wrote it; the spans live as long as the callback runs. */
	void (*on_result)(void *owner, struct span result);
	/* The provider's ErrorShape, which is valid, and the code that stands in it. */
	void (*on_error)(void *owner, enum error_code code, struct span error);
	void (*on_failure)(void *owner, enum call_failure failure);
	/* Any number of times before. May cancel the call. */
	void (*on_progress)(void *owner, struct span payload);
};

struct call_request {
	struct span method;
	struct span params;	 /* JSON text; n == 0: none */
	struct span session_key; /* n == 0: none */
	uint32_t timeout_ms;	 /* that the provider is told; who asks counts it */
	uint32_t conn_id;	 /* who asks */
	struct span client_id;
};

/* NULL without memory. */
struct calls *calls_new(void);
void calls_free(struct calls *calls);

/*
 * Begins a call. Returns 0 and the call, which lives until the sink is told its end or call_cancel; or 1 + the
 * enum call_failure that stands in its way: then the sink is told nothing.
 */
int calls_start(struct gateway *gateway, const struct call_request *request,
    const struct call_sink *sink, void *owner, struct call **ret) must_check;

/* Whoever asked does not wait any more. */
void call_cancel(struct call *call);

/* Mail of the kinds MAIL_PROGRESS, MAIL_RESULT, MAIL_ERROR and MAIL_GONE. */
void calls_mail(struct gateway *gateway, const struct mail *mail);

/* Acts on news of the directory, uses seats that were granted, tries again what could not be done. Each turn. */
void calls_turn(struct gateway *gateway);

/* Ends the calls whose provider's worker has died. Some times a second, and after news. */
void calls_look(struct gateway *gateway);

/* The word and the sentence for a failure. */
const char *call_failure_reason(enum call_failure failure);
const char *call_failure_sentence(enum call_failure failure);
enum error_code call_failure_code(enum call_failure failure);
