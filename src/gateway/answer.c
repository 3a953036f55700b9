/*
 * What is answered, and counted, whatever the form; and one of the forms, response frames.  Their text is
 * built in the gateway's reply buffer and copied to the connection's output as one message; several answers
 * of one turn leave in one send.
 */
#include "gateway/answer.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "bus/counters.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/keep.h"
#include "gateway/message.h"
#include "proto/envelope.h"
#include "proto/reply.h"

/* code: 0 for a result, else 1 + error_code. */
static void
count(const struct answer *to, unsigned code)
{
	struct counters *counters = to->connection->gateway->counters;

	counters_add(&counters->requests[to->method][code], 1);
	counters_observe(&counters->request_seconds[to->method], clock_mono_ns() - to->started_ns);
}

static void
send_reply(const struct answer *to)
{
	struct buf *reply = &to->connection->gateway->reply;

	if (buf_status(reply) != 0)
		connection_fail(to->connection);
	else
		message_queue(to->connection, WS_TEXT, buf_span(reply));
}

static void
frame_result(const struct answer *to, struct span result)
{
	struct buf *reply = &to->connection->gateway->reply;

	buf_reset(reply);
	reply_result(reply, to->id, result);
	send_reply(to);
}

static void
frame_error(const struct answer *to, const struct reply_error *error)
{
	struct buf *reply = &to->connection->gateway->reply;

	buf_reset(reply);
	reply_error(reply, to->id, error);
	send_reply(to);
}

static void
frame_error_text(const struct answer *to, enum error_code code, struct span error)
{
	struct buf *reply = &to->connection->gateway->reply;

	(void)code; /* stands in the text */
	buf_reset(reply);
	reply_error_text(reply, to->id, error);
	send_reply(to);
}

static void
frame_progress(const struct answer *to, struct span payload)
{
	struct buf *reply = &to->connection->gateway->reply;

	buf_reset(reply);
	reply_progress(reply, to->id, payload);
	send_reply(to);
}

const struct answer_sink answer_frames = {
	.result = frame_result,
	.error = frame_error,
	.error_text = frame_error_text,
	.progress = frame_progress,
};

void
answer_result(const struct answer *to, struct span result)
{
	count(to, 0);
	keep_result(to->connection->gateway, to->ticket, result);
	to->connection->answers->result(to, result);
}

static void
send_error(const struct answer *to, const struct reply_error *error)
{
	count(to, 1 + (unsigned)error->code);
	keep_failure(to->connection->gateway, to->ticket, error);
	to->connection->answers->error(to, error);
}

void
answer_error(const struct answer *to, enum error_code code, struct span error)
{
	count(to, 1 + (unsigned)code);
	keep_error(to->connection->gateway, to->ticket, code, error);
	to->connection->answers->error_text(to, code, error);
}

void
answer_progress(const struct answer *to, struct span payload)
{
	if (to->connection->answers->progress != NULL)
		to->connection->answers->progress(to, payload);
}

void
answer_fail(const struct answer *to, enum error_code code, const char *reason, const char *field,
    const char *format, ...)
{
	struct reply_error error = {
		.code = code,
		.reason = reason,
		.field = field,
		.retryable = code == ERROR_UNAVAILABLE,
	};
	va_list ap;

	va_start(ap, format);
	vsnprintf(error.message, sizeof(error.message), format, ap);
	va_end(ap);
	send_error(to, &error);
}

void
answer_rate_limited(const struct answer *to, const char *sentence, uint32_t retry_after_ms)
{
	struct reply_error error = {
		.code = ERROR_UNAVAILABLE,
		.reason = "rate-limited",
		.retryable = true,
		.retry_after_ms = retry_after_ms,
	};

	reply_error_say(&error, "%s", sentence);
	send_error(to, &error);
}

void
answer_fault(const struct answer *to, const struct envelope_fault *fault)
{
	const char *field = fault->field[0] != '\0' ? fault->field : NULL;

	answer_fail(to, fault->code, fault->reason, field, "%s", fault->sentence);
}

void
answer_no_memory(const struct answer *to)
{
	answer_fail(to, ERROR_INTERNAL_ERROR, "out-of-memory", NULL,
	    "The gateway is out of memory; try again later");
}
