/*
 * Answering one request: the response frame, and the metrics of the method, in one place, so that
 * every request is answered and counted once.
 */
#pragma once

#include <stdint.h>

#include "base/macros.h"
#include "base/span.h"
#include "proto/errors.h"

struct connection;
struct envelope_fault;

struct answer;
struct reply_error;

/*
 * In which form the answers of a connection leave: as response frames on a WebSocket, as the response to
 * the request that is under way on plain HTTP.  One of the first three is called once for each request, at once
 * or later, and may end the connection.
 */
struct answer_sink {
	void (*result)(const struct answer *to, struct span result);
	void (*error)(const struct answer *to, const struct reply_error *error);
	/* As error, for one whose ErrorShape is there as JSON text. */
	void (*error_text)(const struct answer *to, enum error_code code, struct span error);
	/* Before the answer, any number of times; NULL: this form has no place for it. */
	void (*progress)(const struct answer *to, struct span payload);
};

/* Response frames. */
extern const struct answer_sink answer_frames;

/* Whom an answer goes to.  The spans are the caller's. */
struct answer {
	struct connection *connection;
	struct span id;	     /* n == 0: the frame had no usable id */
	unsigned method;     /* index for the metrics, METHOD_OTHER when there is none */
	uint64_t started_ns; /* CLOCK_MONOTONIC at the arrival of the request */
	uint64_t ticket;     /* of bus/idempotency: its answer is kept; 0: it is not */
};

/* Sends {"id","type":"response","result":result}; result is JSON text. */
void answer_result(const struct answer *to, struct span result);

/*
 * Sends an error.  reason (a stable kebab-case word) and field (a path such as params.event) may be
 * NULL; the sentence says what was wrong and what would be right.  UNAVAILABLE is marked retryable.
 */
void answer_fail(const struct answer *to, enum error_code code, const char *reason,
    const char *field, const char *format, ...) printf_like(5, 6);

/* Sends an error that somebody else has put together: the text of its ErrorShape, and its code. */
void answer_error(const struct answer *to, enum error_code code, struct span error);

/*
 * Sends {"id","type":"progress","payload":payload}; payload is JSON text. It is no answer.
 * Where the form of the connection has no progress, it is dropped.
 */
void answer_progress(const struct answer *to, struct span payload);

/* Sends UNAVAILABLE, reason rate-limited: it may be tried again after this time. */
void answer_rate_limited(const struct answer *to, const char *sentence, uint32_t retry_after_ms);

/* Sends what a parser found wrong. */
void answer_fault(const struct answer *to, const struct envelope_fault *fault);

/* Sends INTERNAL_ERROR for want of memory. */
void answer_no_memory(const struct answer *to);
