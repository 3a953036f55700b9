/*
 * Who asks a provider for something, and how it is told what became of it.
 */
#pragma once

#include <stdint.h>

#include "base/span.h"
#include "proto/errors.h"

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
	uint64_t end_ms;  /* when it ends, by CLOCK_MONOTONIC: what is left when it has waited */
	uint32_t conn_id; /* who asks */
	struct span client_id;
	uint64_t ticket; /* of bus/idempotency; 0: none */
};

/* The word and the sentence for a failure. */
const char *call_failure_reason(enum call_failure failure);
const char *call_failure_sentence(enum call_failure failure);
enum error_code call_failure_code(enum call_failure failure);
