/*
 * HTTP/1.1 on a connection.  One request is answered before the next head is looked at.  What calls a method
 * may have a body, and be answered later (gateway/exchange); for all else a body ends the connection behind the
 * answer, since skipping bodies of any length would let a peer keep us reading for ever.
 */
#include "gateway/causes.h"
#include "gateway/httpd.h"

#include <string.h>

#include "base/clock.h"
#include "bus/counters.h"
#include "conf/conf.h"
#include "conf/scope.h"
#include "gateway/admission.h"
#include "gateway/api.h"
#include "gateway/rpc.h"
#include "gateway/context.h"
#include "gateway/cors.h"
#include "gateway/endpoints.h"
#include "gateway/exchange.h"
#include "gateway/hosts.h"
#include "gateway/identity.h"
#include "gateway/limits.h"
#include "gateway/outcomes.h"
#include "gateway/pending.h"
#include "gateway/presence.h"
#include "gateway/refuse.h"
#include "gateway/respond.h"
#include "gateway/visit.h"
#include "gateway/welcome.h"
#include "gateway/wsock.h"
#include "proto/handshake.h"
#include "proto/http.h"

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
		respond_unauthorized(c, verdict, RESPOND_CLOSE);
	return auth_is_good(verdict);
}

static void
upgrade(struct connection *c, const struct http_head *head, const struct handshake *handshake)
{
	struct buf *reply = &c->gateway->reply;
	bool echo = span_is(head->path, "/echo");

	if (!is_websocket_path(c, head->path)) {
		respond_error(c, 404, ERROR_INVALID_REQUEST,
		    "No WebSocket is served at this path; connect to / or /ws", "", RESPOND_CLOSE);
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
	respond_count(c, 101);
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

/* No endpoint takes a body, and skipping one of any length would keep us reading for ever. */
static enum respond_after
after_plain(const struct connection *c, const struct http_head *head)
{
	unsigned after = respond_after_of(c, head);

	if (head->has_body)
		after &= ~(unsigned)RESPOND_KEEP_ALIVE;
	return (enum respond_after)after;
}

/* Whether the endpoint may be told to who asks; else that was answered. */
static bool
is_allowed(struct connection *c, const struct endpoint *endpoint, const struct http_head *head,
    enum respond_after after)
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
		respond_refusal(c, 403, ERROR_INVALID_REQUEST, "forbidden",
		    "This path needs the scope read, which the token has not got", after);
	return may_read;
}

static void
answer_plain(struct connection *c, const struct http_head *head)
{
	bool head_only = span_is(head->method, "HEAD");
	enum respond_after after = after_plain(c, head);
	const struct endpoint *endpoint = endpoint_find(head->path);
	struct endpoint_answer answer = { .status = 200, .type = "application/json" };

	if (endpoint == NULL && is_websocket_path(c, head->path)) {
		respond_error(c, 426, ERROR_INVALID_REQUEST,
		    "This path speaks WebSocket; ask for an upgrade",
		    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n",
		    RESPOND_CLOSE | (after & RESPOND_HEAD_ONLY));
		return;
	}
	if (endpoint == NULL) {
		respond_error(c, 404, ERROR_INVALID_REQUEST,
		    "Nothing is served at this path; see /info", "", after);
		return;
	}
	if (!head_only && !span_is(head->method, "GET")) {
		respond_error(c, 405, ERROR_INVALID_REQUEST, "This path takes GET and HEAD only",
		    "Allow: GET, HEAD, OPTIONS\r\n", after);
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

/* Of a path that is none, all that GET takes. */
static const char *
allow_of(struct span path)
{
	const char *allow = api_allow(path);

	return allow != NULL ? allow : "GET, HEAD, OPTIONS";
}

static void
answer_request(struct connection *c, const struct http_head *head)
{
	if (span_is(head->method, "OPTIONS"))
		cors_respond_options(c, head, allow_of(head->path));
	else if (api_has(head->path))
		api_request(c, head);
	else
		answer_plain(c, head);
}

/* Whether who asks may ask at all, whatever for; else that was answered. */
static bool
is_welcome(struct connection *c, const struct http_head *head, enum respond_after head_only)
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
	} else if (!cors_is_allowed(c, head)) {
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
	enum respond_after head_only =
	    span_is(head->method, "HEAD") ? RESPOND_HEAD_ONLY : RESPOND_CLOSE;
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
		answer_request(c, head);
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
	respond_fault(c, &fault, RESPOND_CLOSE);
	return true;
}

static void
refuse_cleartext(struct connection *c)
{
	outcome_settle(c, OUTCOME_BAD_REQUEST);
	respond_error(c, 400, ERROR_INVALID_REQUEST,
	    "This port speaks TLS; connect by https:// or wss://", "", RESPOND_CLOSE);
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
	if (c->exchange != NULL)
		return rpc_on_data(c, data, len);
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
		respond_fault(c, &fault, RESPOND_CLOSE);
		return 0;
	case HTTP_HEAD:
		c->traffic->head_scanned = 0;
		if (!is_too_large(c, used, (unsigned)head.header_count))
			on_head(c, &head);
		c->gateway->allowed_origin = SPAN("");
		break;
	}
	return used;
}

static void
on_expired(struct connection *c, enum deadline_kind kind)
{
	bool is_late = c->exchange != NULL ? c->exchange->is_reading
					   : kind == DEADLINE_HANDSHAKE && c->traffic != NULL &&
						 c->traffic->in.len > 0;

	if (kind == DEADLINE_HANDSHAKE)
		outcome_settle(c, OUTCOME_TIMEOUT);
	if (kind == DEADLINE_MESSAGE)
		limits_count(c->gateway, LIMIT_MESSAGE_TIME);
	if (is_late)
		respond_error(c, 408, ERROR_INVALID_REQUEST,
		    "The request did not arrive in time; send it whole", "", RESPOND_CLOSE);
	else
		connection_close(c,
		    kind == DEADLINE_HANDSHAKE ? LEDGER_HANDSHAKE_TIMEOUT : LEDGER_HTTP, 0,
		    "No request came in time");
}

static void
on_closing(struct connection *c)
{
	pending_abandon_all(c);
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
