/*
 * Responses.  All leave through respond, which counts them and says what follows.
 */
#include "gateway/respond.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/jsonw.h"
#include "bus/counters.h"
#include "gateway/causes.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/outcomes.h"
#include "gateway/refuse.h"
#include "gateway/visit.h"
#include "proto/http.h"
#include "proto/http_response.h"

enum {
	LINES_MAX = 1024, /* bytes of the header fields that vary */
	/* Nobody has a connection for ever, however often it asks. */
	KEEP_ALIVE_MS = 60 * 60 * 1000,
	CROWD_RETRY_MS = 5000,
	CROWD_ANSWERS_A_MINUTE = 600, /* the others are closed without one */
};

void
respond_count(struct connection *c, int status)
{
	int class = status / 100;

	if (class < 0 || class >= COUNTERS_HTTP)
		class = 0;
	counters_add(&c->gateway->counters->http_requests[class], 1);
}

static bool
may_ask_again(const struct connection *c)
{
	uint64_t now_ms = clock_real_ms();

	/* A clock that was set back says nothing of its age. */
	return !c->gateway->draining &&
	       (now_ms < c->connected_at_ms || now_ms - c->connected_at_ms < KEEP_ALIVE_MS);
}

enum respond_after
respond_after_of(const struct connection *c, const struct http_head *head)
{
	unsigned after = RESPOND_CLOSE;

	if (head->keep_alive && may_ask_again(c))
		after |= RESPOND_KEEP_ALIVE;
	if (span_is(head->method, "HEAD"))
		after |= RESPOND_HEAD_ONLY;
	return (enum respond_after)after;
}

/* RFC 9110 6.6.1: a server with a clock says when it answered. */
static size_t
write_date(char *out, size_t cap)
{
	time_t now = (time_t)(clock_real_ms() / 1000);
	struct tm utc;

	if (gmtime_r(&now, &utc) == NULL)
		return 0;
	return strftime(out, cap, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
}

/* All that varies; `lines` are those of this response.  An Origin that is too long is told nothing. */
static struct span
write_lines(const struct gateway *g, const char *lines, char *out, size_t cap)
{
	static const char format[] = "Access-Control-Allow-Origin: %.*s\r\n"
				     "Access-Control-Expose-Headers: Retry-After\r\n"
				     "Vary: Origin\r\n";
	size_t n = write_date(out, cap);
	struct span origin = g->allowed_origin;

	n += (size_t)snprintf(out + n, cap - n, "%s", lines);
	if (origin.n > 0 && n < cap && origin.n + sizeof(format) < cap - n)
		snprintf(out + n, cap - n, format, SPAN_ARGS(origin));
	return span_cstr(out);
}

void
respond(struct connection *c, int status, const char *type, struct span body, const char *lines,
    enum respond_after after)
{
	char all_lines[LINES_MAX];
	struct buf *reply = &c->gateway->reply;
	bool keep_alive = (after & RESPOND_KEEP_ALIVE) != 0;
	bool head_only = (after & RESPOND_HEAD_ONLY) != 0;

	buf_reset(reply);
	http_response_write(reply, status, type, body, keep_alive,
	    write_lines(c->gateway, lines, all_lines, sizeof(all_lines)), head_only);
	respond_count(c, status);
	if (buf_status(reply) != 0) {
		connection_fail(c);
		return;
	}
	connection_queue(c, buf_span(reply));
	if (c->state != CONNECTION_OPEN)
		return;
	if (keep_alive)
		deadline_set(c->gateway->deadlines, &c->deadline, DEADLINE_IDLE, clock_mono_ms());
	else
		connection_close(c,
		    c->ends_by != LEDGER_UNKNOWN ? c->ends_by : cause_of_http(status), 0,
		    http_status_text(status));
}

void
respond_open_write(struct connection *c, struct buf *out, const char *type, const char *lines)
{
	char all_lines[LINES_MAX];

	http_response_write_open(
	    out, type, write_lines(c->gateway, lines, all_lines, sizeof(all_lines)));
	respond_count(c, 200);
}

void
respond_error_shape(struct connection *c, int status, const struct reply_error *error,
    const char *lines, enum respond_after after)
{
	struct buf *text = &c->gateway->text;
	char with_retry[256];
	struct jsonw w;

	buf_reset(text);
	jsonw_init(&w, text);
	jsonw_object(&w);
	jsonw_key(&w, "error");
	reply_error_shape(&w, error);
	jsonw_object_end(&w);
	buf_append_cstr(text, "\n");
	if (error->retry_after_ms > 0) {
		snprintf(with_retry, sizeof(with_retry), "Retry-After: %" PRIu64 "\r\n%s",
		    ((uint64_t)error->retry_after_ms + 999) / 1000, lines);
		lines = with_retry;
	}
	if (buf_status(text) != 0)
		connection_fail(c);
	else
		respond(c, status, "application/json", buf_span(text), lines, after);
}

void
respond_error(struct connection *c, int status, enum error_code code, const char *message,
    const char *lines, enum respond_after after)
{
	struct reply_error error = { .code = code };

	reply_error_say(&error, "%s", message);
	respond_error_shape(c, status, &error, lines, after);
}

void
respond_refusal(struct connection *c, int status, enum error_code code, const char *reason,
    const char *message, enum respond_after after)
{
	struct reply_error error = { .code = code, .reason = reason };

	reply_error_say(&error, "%s", message);
	respond_error_shape(c, status, &error, "", after);
}

void
respond_unauthorized(struct connection *c, enum auth_verdict verdict, enum respond_after after)
{
	struct reply_error error = { .code = ERROR_INVALID_REQUEST, .reason = "unauthorized" };
	const char *lines = "WWW-Authenticate: Bearer\r\n";
	int status = 401;

	if (verdict == AUTH_NO_MEMORY) {
		error = (struct reply_error){ .code = ERROR_INTERNAL_ERROR };
		status = 500;
	} else if (verdict == AUTH_FOREIGN) {
		status = 403;
	} else if (verdict == AUTH_LOCKED_OUT) {
		status = 429;
		error.code = ERROR_UNAVAILABLE;
		error.reason = "rate-limited";
		error.retry_after_ms = (uint32_t)min_u64(visit_refused_ms(c) + 1, UINT32_MAX);
	}
	if (status != 401)
		lines = "";
	reply_error_say(&error, "%s", auth_verdict_sentence(verdict));
	outcome_settle(c, OUTCOME_UNAUTHORIZED);
	refuse_log(c, error.message);
	respond_error_shape(c, status, &error, lines, after);
}

void
respond_crowded(struct connection *c, const char *sentence)
{
	struct reply_error error = { .code = ERROR_UNAVAILABLE,
		.reason = "rate-limited",
		.retry_after_ms = CROWD_RETRY_MS };

	reply_error_say(&error, "%s", sentence);
	outcome_settle(c, OUTCOME_CROWDED);
	refuse_log(c, sentence);
	respond_error_shape(c, 429, &error, "", RESPOND_CLOSE);
}

void
respond_fault(struct connection *c, const struct http_fault *fault, enum respond_after after)
{
	outcome_settle(c, OUTCOME_BAD_REQUEST);
	refuse_log(c, fault->text);
	respond_error(
	    c, fault->status, ERROR_INVALID_REQUEST, fault->text, fault->header_lines, after);
}

void
respond_full(struct connection *c)
{
	outcome_settle(c, OUTCOME_FULL);
	c->ends_by = LEDGER_MAX_CONNECTIONS;
	respond_error(c, 503, ERROR_UNAVAILABLE,
	    "The gateway has as many connections as it may have (max_connections); try again later",
	    "Retry-After: 5\r\n", RESPOND_CLOSE);
}

void
respond_crowd(struct connection *c, enum visitors_verdict verdict)
{
	unsigned suppressed;

	if (log_limit_pass(
		&c->gateway->crowd, clock_mono_ms(), CROWD_ANSWERS_A_MINUTE, &suppressed)) {
		respond_crowded(c, visit_sentence(verdict));
		return;
	}
	outcome_settle(c, OUTCOME_CROWDED);
	connection_abort(c, (enum ledger_cause)c->ends_by, visit_sentence(verdict));
}
