/*
 * HTTP/1.1 on a connection.  One request is answered before the next head is looked at; a request with a
 * body is answered and then the connection ends, since no endpoint takes one and skipping bodies of any
 * length would let a peer keep us reading for ever.
 */
#include "gateway/causes.h"
#include "gateway/httpd.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/jsonw.h"
#include "bus/counters.h"
#include "conf/conf.h"
#include "conf/scope.h"
#include "gateway/admission.h"
#include "gateway/context.h"
#include "gateway/endpoints.h"
#include "gateway/hosts.h"
#include "gateway/identity.h"
#include "gateway/limits.h"
#include "gateway/outcomes.h"
#include "gateway/presence.h"
#include "gateway/refuse.h"
#include "gateway/visit.h"
#include "gateway/welcome.h"
#include "gateway/wsock.h"
#include "proto/handshake.h"
#include "proto/http.h"
#include "proto/http_response.h"
#include "proto/origin.h"

static void
count_status(struct connection *c, int status)
{
	int class = status / 100;

	if (class < 0 || class >= COUNTERS_HTTP)
		class = 0;
	counters_add(&c->gateway->counters->http_requests[class], 1);
}

enum {
	LINES_MAX = 256, /* bytes of the header fields that vary */
	CROWD_RETRY_MS = 5000,
	CROWD_ANSWERS_A_MINUTE = 600, /* the others are closed without one */
};

/* What follows a response, and whether its body is left out. */
enum after {
	AFTER_CLOSE = 0,
	AFTER_KEEP_ALIVE = 1,
	AFTER_HEAD_ONLY = 2, /* a flag: the request was HEAD */
};

/* RFC 9110 6.6.1: a server with a clock says when it answered.  `lines` are those of this response. */
static struct span
with_date(const char *lines, char *out, size_t cap)
{
	time_t now = (time_t)(clock_real_ms() / 1000);
	struct tm utc;
	size_t n = 0;

	if (gmtime_r(&now, &utc) != NULL)
		n = strftime(out, cap, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
	snprintf(out + n, cap - n, "%s", lines);
	return span_cstr(out);
}

static void
respond(struct connection *c, int status, const char *type, struct span body, const char *lines,
    enum after after)
{
	char all_lines[LINES_MAX];
	struct buf *reply = &c->gateway->reply;
	bool keep_alive = (after & AFTER_KEEP_ALIVE) != 0;
	bool head_only = (after & AFTER_HEAD_ONLY) != 0;

	buf_reset(reply);
	http_response_write(reply, status, type, body, keep_alive,
	    with_date(lines, all_lines, sizeof(all_lines)), head_only);
	count_status(c, status);
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

/* Why a request is turned away; reason and lines may be left out. */
struct refusal {
	int status;
	enum error_code code;
	const char *reason, *message;
	const char *lines;
	uint64_t retry_after_ms;
};

static void
write_details(struct jsonw *w, const struct refusal *refusal)
{
	jsonw_key(w, "details");
	jsonw_object(w);
	jsonw_key(w, "reason");
	jsonw_cstr(w, refusal->reason);
	if (refusal->retry_after_ms > 0) {
		jsonw_key(w, "retryable");
		jsonw_bool(w, true);
		jsonw_key(w, "retryAfterMs");
		jsonw_uint(w, refusal->retry_after_ms);
	}
	jsonw_object_end(w);
}

/* Answers {"error":{"code","message","details"?}}, as the protocol's errors look. */
static void
respond_refusal(struct connection *c, const struct refusal *refusal, enum after after)
{
	struct buf *text = &c->gateway->text;
	char retry_line[48];
	const char *lines = refusal->lines != NULL ? refusal->lines : "";
	struct jsonw w;

	buf_reset(text);
	jsonw_init(&w, text);
	jsonw_object(&w);
	jsonw_key(&w, "error");
	jsonw_object(&w);
	jsonw_key(&w, "code");
	jsonw_cstr(&w, error_code_name(refusal->code));
	jsonw_key(&w, "message");
	jsonw_cstr(&w, refusal->message);
	if (refusal->reason != NULL)
		write_details(&w, refusal);
	jsonw_object_end(&w);
	jsonw_object_end(&w);
	buf_append_cstr(text, "\n");
	if (refusal->retry_after_ms > 0) {
		snprintf(retry_line, sizeof(retry_line), "Retry-After: %" PRIu64 "\r\n",
		    (refusal->retry_after_ms + 999) / 1000);
		lines = retry_line;
	}
	if (buf_status(text) != 0)
		connection_fail(c);
	else
		respond(c, refusal->status, "application/json", buf_span(text), lines, after);
}

static void
respond_error(struct connection *c, int status, enum error_code code, const char *message,
    const char *lines, enum after after)
{
	const struct refusal refusal = {
		.status = status, .code = code, .message = message, .lines = lines
	};

	respond_refusal(c, &refusal, after);
}

/* Whom authentication turned away (PROTOCOL section 9). */
static void
respond_unauthorized(struct connection *c, enum auth_verdict verdict, enum after after)
{
	struct refusal refusal = { .status = 401,
		.code = ERROR_INVALID_REQUEST,
		.reason = "unauthorized",
		.message = auth_verdict_sentence(verdict),
		.lines = "WWW-Authenticate: Bearer\r\n" };

	if (verdict == AUTH_NO_MEMORY)
		refusal = (struct refusal){
			.status = 500, .code = ERROR_INTERNAL_ERROR, .message = refusal.message
		};
	if (verdict == AUTH_FOREIGN)
		refusal.status = 403;
	if (verdict == AUTH_FOREIGN || verdict == AUTH_LOCKED_OUT)
		refusal.lines = NULL;
	if (verdict == AUTH_LOCKED_OUT) {
		refusal.status = 429;
		refusal.code = ERROR_UNAVAILABLE;
		refusal.reason = "rate-limited";
		refusal.retry_after_ms = visit_refused_ms(c) + 1;
	}
	outcome_settle(c, OUTCOME_UNAUTHORIZED);
	refuse_log(c, refusal.message);
	respond_refusal(c, &refusal, after);
}

/* One address has too many connections. */
static void
respond_crowded(struct connection *c, const char *sentence)
{
	const struct refusal refusal = { .status = 429,
		.code = ERROR_UNAVAILABLE,
		.reason = "rate-limited",
		.message = sentence,
		.retry_after_ms = CROWD_RETRY_MS };

	outcome_settle(c, OUTCOME_CROWDED);
	refuse_log(c, sentence);
	respond_refusal(c, &refusal, AFTER_CLOSE);
}

static void
respond_fault(struct connection *c, const struct http_fault *fault, enum after after)
{
	outcome_settle(c, OUTCOME_BAD_REQUEST);
	refuse_log(c, fault->text);
	respond_error(
	    c, fault->status, ERROR_INVALID_REQUEST, fault->text, fault->header_lines, after);
}

/* Another local port is another site too, so loopback is no exception (PROTOCOL section 1). */
static bool
is_origin_allowed(const struct connection *c, const struct http_head *head)
{
	const struct conf_gateway *conf = &c->gateway->conf->gateway;
	const struct http_header *origin = http_head_find(head, "Origin");

	if (origin == NULL)
		return true;
	return http_head_count(head, "Origin") == 1 &&
	       origin_check(origin->value, head->host, (const char *const *)conf->allowed_origins,
		   conf->allowed_origins_count, stream_is_secure(&c->stream)) != ORIGIN_REFUSED;
}

static bool
is_websocket_path(const struct connection *c, struct span path)
{
	return span_is(path, "/") || span_is(path, "/ws") ||
	       (span_is(path, "/echo") && c->gateway->conf->gateway.echo);
}

/* Makes the connection who its request says. False: it was turned away. */
static bool
is_admitted(struct connection *c, const struct http_head *head, bool has_hello)
{
	struct identity *identity = NULL;
	enum auth_verdict verdict = admission_check_request(c, head, &identity);

	/* Who comes without a token may bring one in the hello, where all is said again. */
	if (has_hello && (verdict == AUTH_MISSING || verdict == AUTH_FOREIGN))
		return true;
	admission_count(c, verdict);
	if (auth_is_good(verdict))
		admission_enter_take(c, identity);
	else
		respond_unauthorized(c, verdict, AFTER_CLOSE);
	return auth_is_good(verdict);
}

static void
upgrade(struct connection *c, const struct http_head *head, const struct handshake *handshake)
{
	struct buf *reply = &c->gateway->reply;
	bool echo = span_is(head->path, "/echo");

	if (!is_websocket_path(c, head->path)) {
		respond_error(c, 404, ERROR_INVALID_REQUEST,
		    "No WebSocket is served at this path; connect to / or /ws", "", AFTER_CLOSE);
		return;
	}
	if (!is_admitted(c, head, !echo))
		return;
	buf_reset(reply);
	handshake_accept_write(
	    reply, handshake, handshake->wants_lurkbot_v1 && !echo ? "lurkbot.v1" : NULL);
	if (buf_status(reply) != 0) {
		connection_fail(c);
		return;
	}
	count_status(c, 101);
	connection_queue(c, buf_span(reply));
	if (c->state != CONNECTION_OPEN)
		return;
	if (echo) {
		outcome_settle(c, OUTCOME_ECHO);
		visit_know(c);
	}
	presence_count(c);
	c->deflate = handshake->deflate != EXTENSIONS_NONE;
	wsock_start(c, echo ? wsock_echo : welcome_message);
}

static enum after
after_of(const struct connection *c, const struct http_head *head)
{
	unsigned after = AFTER_CLOSE;

	if (head->keep_alive && !head->has_body && !c->gateway->draining)
		after |= AFTER_KEEP_ALIVE;
	if (span_is(head->method, "HEAD"))
		after |= AFTER_HEAD_ONLY;
	return (enum after)after;
}

/* Whether the endpoint may be told to who asks; else that was answered. */
static bool
is_allowed(struct connection *c, const struct endpoint *endpoint, const struct http_head *head,
    enum after after)
{
	struct identity *identity = NULL;
	enum auth_verdict verdict;
	bool may_read;

	if (endpoint_is_public(endpoint, c->gateway))
		return true;
	verdict = admission_check_request(c, head, &identity);
	admission_count(c, verdict);
	if (!auth_is_good(verdict)) {
		respond_unauthorized(c, verdict, after);
		return false;
	}
	may_read = identity_has(identity, SCOPE_READ);
	identity_unref(identity);
	if (!may_read)
		respond_refusal(c,
		    &(struct refusal){ .status = 403,
			.code = ERROR_INVALID_REQUEST,
			.reason = "forbidden",
			.message = "This path needs the scope read, which the token has not got" },
		    after);
	return may_read;
}

static void
answer_plain(struct connection *c, const struct http_head *head)
{
	bool head_only = span_is(head->method, "HEAD");
	enum after after = after_of(c, head);
	const struct endpoint *endpoint = endpoint_find(head->path);
	struct endpoint_answer answer = { .status = 200, .type = "application/json" };

	if (endpoint == NULL && is_websocket_path(c, head->path)) {
		respond_error(c, 426, ERROR_INVALID_REQUEST,
		    "This path speaks WebSocket; ask for an upgrade",
		    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n",
		    AFTER_CLOSE | (after & AFTER_HEAD_ONLY));
		return;
	}
	if (endpoint == NULL) {
		respond_error(c, 404, ERROR_INVALID_REQUEST,
		    "Nothing is served at this path; see /info", "", after);
		return;
	}
	if (!head_only && !span_is(head->method, "GET")) {
		respond_error(c, 405, ERROR_INVALID_REQUEST, "This path takes GET and HEAD only",
		    "Allow: GET, HEAD\r\n", after);
		return;
	}
	if (!is_allowed(c, endpoint, head, after))
		return;
	buf_reset(&c->gateway->text);
	endpoint_run(endpoint, c->gateway, head, &answer);
	if (buf_status(&c->gateway->text) != 0)
		connection_fail(c);
	else
		respond(c, answer.status, answer.type, buf_span(&c->gateway->text),
		    "Cache-Control: no-store\r\n", after);
}

/* Whether who asks may ask at all, whatever for; else that was answered. */
static bool
is_welcome(struct connection *c, const struct http_head *head, enum after head_only)
{
	const char *why = NULL;

	switch (visit_follow(c, head)) {
	case VISIT_GOOD:
		break;
	case VISIT_UNREADABLE:
		respond_fault(c,
		    &(struct http_fault){ .status = 400,
			.header_lines = "",
			.text = "X-Forwarded-For must end in the address of a client." },
		    head_only);
		return false;
	case VISIT_TOO_MANY:
		respond_crowded(c, "Too many connections come from this address; try again later");
		return false;
	}
	if (!host_is_ours(c, head)) {
		outcome_settle(c, OUTCOME_BAD_HOST);
		why = "This Host is not the gateway's; list it in gateway.allowed_hosts";
	} else if (!is_origin_allowed(c, head)) {
		outcome_settle(c, OUTCOME_BAD_ORIGIN);
		why = "This Origin may not connect; list it in gateway.allowed_origins";
	}
	if (why != NULL) {
		refuse_log(c, why);
		respond_error(c, 403, ERROR_INVALID_REQUEST, why, "", head_only);
	}
	return why == NULL;
}

static void
on_head(struct connection *c, const struct http_head *head)
{
	enum after head_only = span_is(head->method, "HEAD") ? AFTER_HEAD_ONLY : AFTER_CLOSE;
	struct handshake handshake;
	struct http_fault fault = { 0 };

	if (!is_welcome(c, head, head_only))
		return;
	switch (handshake_check(head, &handshake, &fault)) {
	case HANDSHAKE_UPGRADE:
		if (!c->gateway->conf->gateway.compression)
			handshake.deflate = EXTENSIONS_NONE;
		upgrade(c, head, &handshake);
		break;
	case HANDSHAKE_PLAIN:
		answer_plain(c, head);
		break;
	case HANDSHAKE_BAD:
		respond_fault(c, &fault, head_only);
		break;
	}
}

/* Between two requests the idle time counts; within one head, the handshake's. */
static void
start_head(struct connection *c)
{
	if (c->deadline.kind == DEADLINE_IDLE)
		deadline_set(
		    c->gateway->deadlines, &c->deadline, DEADLINE_HANDSHAKE, clock_mono_ms());
}

/* Whether the head, or what there is of it, is larger than it may be; that was answered. */
static bool
is_too_large(struct connection *c, size_t bytes, unsigned lines)
{
	const struct conf_gateway *conf = &c->gateway->conf->gateway;
	struct http_fault fault = { .status = 431, .header_lines = "" };

	if (bytes > conf->max_header_bytes)
		fault.text = "The request head is larger than max_header_bytes.";
	else if (lines > conf->max_header_lines)
		fault.text = "The request has more field lines than max_header_lines.";
	else
		return false;
	limits_count(c->gateway, LIMIT_HEADER);
	respond_fault(c, &fault, AFTER_CLOSE);
	return true;
}

static void
refuse_cleartext(struct connection *c)
{
	outcome_settle(c, OUTCOME_BAD_REQUEST);
	respond_error(c, 400, ERROR_INVALID_REQUEST,
	    "This port speaks TLS; connect by https:// or wss://", "", AFTER_CLOSE);
}

static size_t
on_data(struct connection *c, char *data, size_t len)
{
	struct http_head head;
	struct http_fault fault;
	size_t used = 0;

	if (c->cleartext) {
		refuse_cleartext(c);
		return 0;
	}
	/* A head that trickles in is not parsed again for each byte. */
	if (!http_head_is_due(data, len, &c->traffic->head_scanned)) {
		if (!is_too_large(c, len, 0))
			start_head(c);
		return 0;
	}
	switch (http_head_parse(data, len, &head, &used, &fault)) {
	case HTTP_PARTIAL:
		if (!is_too_large(c, len, 0))
			start_head(c);
		return 0;
	case HTTP_BAD:
		if (fault.status == 431)
			limits_count(c->gateway, LIMIT_HEADER);
		respond_fault(c, &fault, AFTER_CLOSE);
		return 0;
	case HTTP_HEAD:
		c->traffic->head_scanned = 0;
		if (!is_too_large(c, used, (unsigned)head.header_count))
			on_head(c, &head);
		break;
	}
	return used;
}

static void
on_expired(struct connection *c, enum deadline_kind kind)
{
	if (kind == DEADLINE_HANDSHAKE)
		outcome_settle(c, OUTCOME_TIMEOUT);
	if (kind == DEADLINE_HANDSHAKE && c->traffic != NULL && c->traffic->in.len > 0)
		respond_error(c, 408, ERROR_INVALID_REQUEST,
		    "The request did not arrive in time; send it whole", "", AFTER_CLOSE);
	else
		connection_close(c,
		    kind == DEADLINE_HANDSHAKE ? LEDGER_HANDSHAKE_TIMEOUT : LEDGER_HTTP, 0,
		    "No request came in time");
}

static void
on_closing(struct connection *c)
{
	admission_leave(c);
}

/* Whatever comes now is thrown away; the peer is done when it closes. */
static bool
on_goodbye(struct connection *c, char *data, size_t len)
{
	(void)c;
	(void)data;
	(void)len;
	return false;
}

const struct connection_handler httpd_handler = {
	.on_data = on_data,
	.on_expired = on_expired,
	.on_closing = on_closing,
	.on_goodbye = on_goodbye,
};

void
httpd_refuse_full(struct connection *c)
{
	outcome_settle(c, OUTCOME_FULL);
	c->ends_by = LEDGER_MAX_CONNECTIONS;
	respond_error(c, 503, ERROR_UNAVAILABLE,
	    "The gateway has as many connections as it may have (max_connections); try again later",
	    "Retry-After: 5\r\n", AFTER_CLOSE);
}

void
httpd_refuse_crowd(struct connection *c, enum visitors_verdict verdict)
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
