/*
 * Refusals.  Whatever a peer sends can cause one, so nothing here may cost more than one line a second.
 */
#include "gateway/refuse.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/macros.h"
#include "gateway/causes.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/outcomes.h"
#include "proto/reply.h"

enum { REFUSE_LINES_A_MINUTE = 60 };

void
refuse_log(struct connection *c, const char *why)
{
	unsigned suppressed = 0;

	if (!log_limit_pass(
		&c->gateway->hostile, clock_mono_ms(), REFUSE_LINES_A_MINUTE, &suppressed))
		return;
	if (suppressed > 0)
		log_info("%u more refusals were not logged", suppressed);
	log_conn_info(
	    c->id, "refused %s: %s", socket_peer_text(&c->peer, (char[SOCKET_TEXT_MAX]){ 0 }), why);
}

static void
send_hello_error(struct connection *c, struct reply_error *error, const char *sentence)
{
	struct buf *reply = &c->gateway->reply;
	bool mismatch = error->reason != NULL && strcmp(error->reason, "protocol-mismatch") == 0;

	reply_error_say(error, "%s", sentence);
	refuse_log(c, sentence);
	outcome_settle(c, OUTCOME_BAD_HELLO);
	buf_reset(reply);
	reply_hello_error(reply, error, mismatch);
	if (buf_status(reply) == 0)
		connection_queue_frame(c, WS_TEXT, buf_span(reply));
	connection_close(c, cause_of_refusal(error->reason), 1008, sentence);
}

void
refuse_hello(struct connection *c, enum error_code code, const char *reason, const char *field,
    const char *sentence)
{
	struct reply_error error = {
		.code = code,
		.reason = reason,
		.field = field,
		.retryable = code == ERROR_UNAVAILABLE,
	};

	send_hello_error(c, &error, sentence);
}

void
refuse_hello_for(struct connection *c, const char *sentence, uint64_t retry_after_ms)
{
	struct reply_error error = {
		.code = ERROR_UNAVAILABLE,
		.reason = "rate-limited",
		.field = "auth",
		.retryable = true,
		.retry_after_ms = (uint32_t)min_u64(retry_after_ms, UINT32_MAX),
	};

	send_hello_error(c, &error, sentence);
}
