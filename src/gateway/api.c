/*
 * All that the head says is judged before a byte of the body is read, so that nobody who may not call keeps
 * us reading; what is wrong then ends the connection, if a body would follow.
 */
#include "gateway/api.h"

#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "conf/conf.h"
#include "conf/scope.h"
#include "gateway/admission.h"
#include "gateway/rpc.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/exchange.h"
#include "gateway/identity.h"
#include "gateway/respond.h"
#include "gateway/stream.h"
#include "gateway/visit.h"
#include "proto/envelope.h"
#include "proto/names.h"
#include "proto/query.h"
#include "proto/uri.h"
#include "proto/utf8.h"

static const struct span root = SPAN_INIT("/api/v1/");
static const struct span rpc = SPAN_INIT("/api/v1/rpc/");
static const struct span events = SPAN_INIT("/api/v1/events");

bool
api_has(struct span path)
{
	return span_has_prefix(path, root);
}

const char *
api_allow(struct span path)
{
	if (span_has_prefix(path, rpc))
		return "POST, OPTIONS";
	return span_is_equal(path, events) ? "GET, POST, OPTIONS" : NULL;
}

/* What follows a refusal: where a body is on its way, nothing. */
static enum respond_after
after_refusal(const struct connection *c, const struct http_head *head)
{
	enum respond_after after = respond_after_of(c, head);

	return head->has_body ? after & RESPOND_HEAD_ONLY : after;
}

static bool
refuse(struct connection *c, const struct http_head *head, int status, const char *reason,
    const char *field, const char *sentence)
{
	struct reply_error error = {
		.code = ERROR_INVALID_REQUEST, .reason = reason, .field = field
	};

	reply_error_say(&error, "%s", sentence);
	respond_error_shape(c, status, &error, "", after_refusal(c, head));
	return false;
}

/* --- what the head says ---------------------------------------------------------------------- */

/* Lets in whoever has good credentials; what they are good for is asked later. */
static bool
is_admitted(struct connection *c, const struct http_head *head)
{
	struct identity *identity = NULL;
	enum auth_verdict verdict = admission_check_request(c, head, &identity);

	admission_count(c, verdict);
	if (!auth_is_good(verdict)) {
		respond_unauthorized(c, verdict, after_refusal(c, head));
		return false;
	}
	admission_enter_take(c, identity);
	visit_know(c);
	return true;
}

static bool
is_json(struct span type)
{
	const char *end = type.n > 0 ? memchr(type.p, ';', type.n) : NULL;

	if (end != NULL)
		type = span_trim(span_make(type.p, (size_t)(end - type.p)));
	return span_is_equal_nocase(type, SPAN("application/json"));
}

/* Anything else would let pages of other sites post without asking first, by a form. */
static bool
is_type_good(struct connection *c, const struct http_head *head)
{
	const struct http_header *type = http_head_find(head, "Content-Type");
	const struct http_header *coding = http_head_find(head, "Content-Encoding");

	if (coding != NULL && !span_is_equal_nocase(coding->value, SPAN("identity")))
		return refuse(c, head, 415, "unsupported", NULL,
		    "The body must be sent without a Content-Encoding");
	if (type == NULL ? head->has_body
			 : http_head_count(head, "Content-Type") > 1 || !is_json(type->value))
		return refuse(
		    c, head, 415, "unsupported", NULL, "The Content-Type must be application/json");
	return true;
}

static bool
is_size_good(struct connection *c, const struct http_head *head)
{
	if (head->content_length <= c->gateway->conf->gateway.max_payload)
		return true;
	return refuse(c, head, 413, "too-large", NULL, "The body is larger than max_payload");
}

/* RFC 9110 section 10.1.1.  Whatever else could be said of the head was said by now. */
static bool
is_expectation_met(struct connection *c, const struct http_head *head)
{
	const struct http_header *expect = http_head_find(head, "Expect");

	if (expect == NULL || head->minor == 0)
		return true;
	if (!span_is_equal_nocase(expect->value, SPAN("100-continue")))
		return refuse(
		    c, head, 417, NULL, NULL, "The only Expect that can be met is 100-continue");
	if (head->has_body)
		connection_queue(c, SPAN("HTTP/1.1 100 Continue\r\n\r\n"));
	return true;
}

/* --- what is asked --------------------------------------------------------------------------- */

static bool
read_method(struct connection *c, const struct http_head *head, struct envelope *frame)
{
	size_t len = 0;

	if (!span_has_prefix(head->path, rpc)) {
		frame->method = SPAN("events.publish");
		return true;
	}
	if (uri_decode(span_skip(head->path, rpc.n), frame->method_store,
		sizeof(frame->method_store), &len) == 0) {
		frame->method = span_make(frame->method_store, len);
		if (name_is_valid(frame->method))
			return true;
	}
	return refuse(c, head, 400, "invalid-field", "method",
	    "Behind /api/v1/rpc/ must stand a method: words of letters, digits, _ and - with dots "
	    "between them");
}

static bool
read_key(
    struct connection *c, const struct http_head *head, struct span value, struct envelope *frame)
{
	size_t len = 0;

	if (frame->session_key.n == 0 &&
	    query_decode(value, frame->session_key_store, sizeof(frame->session_key_store), &len) ==
		0 &&
	    len > 0 && utf8_is_valid(span_make(frame->session_key_store, len))) {
		frame->session_key = span_make(frame->session_key_store, len);
		return true;
	}
	return refuse(c, head, 400, "invalid-field", "sessionKey",
	    "sessionKey must be 1 to 256 bytes of UTF-8, percent-encoded, given once");
}

static bool
read_timeout(
    struct connection *c, const struct http_head *head, struct span value, struct envelope *frame)
{
	uint64_t ms = 0;

	if (parse_u64(value, ENVELOPE_TIMEOUT_MS_MAX, &ms) == 0 && ms > 0) {
		frame->timeout_ms = (uint32_t)ms;
		return true;
	}
	return refuse(c, head, 400, "invalid-field", "timeoutMs",
	    "timeoutMs must be an integer of 1 to 600000");
}

static bool
read_query(struct connection *c, const struct http_head *head, struct envelope *frame)
{
	struct span query = head->query;
	struct query_pair pair;

	while (query_next(&query, &pair)) {
		if (span_is(pair.name, "sessionKey") && !read_key(c, head, pair.value, frame))
			return false;
		if (span_is(pair.name, "timeoutMs") && !read_timeout(c, head, pair.value, frame))
			return false;
	}
	return true;
}

static bool
read_idempotency_key(struct connection *c, const struct http_head *head, struct envelope *frame)
{
	const struct http_header *key = http_head_find(head, "Idempotency-Key");

	if (key == NULL)
		return true;
	if (http_head_count(head, "Idempotency-Key") > 1 || key->value.n == 0 ||
	    key->value.n > sizeof(frame->idempotency_key_store) || !utf8_is_valid(key->value))
		return refuse(c, head, 400, "invalid-field", "idempotencyKey",
		    "Idempotency-Key must be 1 to 128 bytes of UTF-8, given once");
	memcpy(frame->idempotency_key_store, key->value.p, key->value.n);
	frame->idempotency_key = span_make(frame->idempotency_key_store, key->value.n);
	return true;
}

static void
post(struct connection *c, const struct http_head *head)
{
	struct exchange *x = exchange_new(respond_after_of(c, head), c->gateway->allowed_origin);
	struct envelope *frame;

	if (x == NULL) {
		connection_fail(c);
		return;
	}
	frame = &x->frame;
	if (!is_type_good(c, head) || !is_size_good(c, head) || !read_method(c, head, frame) ||
	    !read_query(c, head, frame) || !read_idempotency_key(c, head, frame) ||
	    !is_expectation_met(c, head)) {
		exchange_free(x);
		admission_leave(c);
		return;
	}
	rpc_begin_take(c, x, head);
}

static void
get(struct connection *c, const struct http_head *head)
{
	if (identity_has(c->identity, SCOPE_READ)) {
		stream_begin(c, head);
		return;
	}
	refuse(c, head, 403, "forbidden", NULL,
	    "This path needs the scope read, which the token has not got");
	admission_leave(c);
}

void
api_request(struct connection *c, const struct http_head *head)
{
	const char *allow = api_allow(head->path);
	bool is_post = span_is(head->method, "POST");
	char line[64];

	if (allow == NULL) {
		respond_error(c, 404, ERROR_INVALID_REQUEST,
		    "Nothing is served at this path; /api/v1/rpc/METHOD and /api/v1/events are", "",
		    after_refusal(c, head));
		return;
	}
	if (!is_post && (!span_is(head->method, "GET") || !span_is_equal(head->path, events))) {
		snprintf(line, sizeof(line), "Allow: %s\r\n", allow);
		respond_error(c, 405, ERROR_INVALID_REQUEST,
		    "This path takes other methods; see Allow", line, after_refusal(c, head));
		return;
	}
	if (!is_admitted(c, head))
		return;
	if (is_post)
		post(c, head);
	else
		get(c, head);
}
