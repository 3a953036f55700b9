/*
 * The answer may come from inside dispatch_request, while the method still reads its params from `content`, or
 * from anywhere later: so the exchange ends where both are over.  One whose connection has ended is freed with
 * that.
 */
#include "gateway/rpc.h"

#include "base/clock.h"
#include "base/jsonw.h"
#include "conf/conf.h"
#include "gateway/admission.h"
#include "gateway/answer.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/dispatch.h"
#include "gateway/exchange.h"
#include "gateway/methods.h"
#include "gateway/respond.h"
#include "proto/json.h"
#include "proto/utf8.h"

enum {
	/* Of requests that came behind the one under way. */
	PIPELINED_MAX = 64 * 1024,
};

/* Both over: the next request may come. */
static void
finish(struct connection *c)
{
	struct exchange *x = c->exchange;

	if (c->state != CONNECTION_OPEN || x->is_dispatching || !x->is_answered)
		return;
	c->exchange = NULL;
	exchange_free(x);
	admission_leave(c);
	/* The response was queued, and what is queued is followed by a look at the input. */
	c->paused = false;
}

/* --- the answer ---------------------------------------------------------------------------- */

static void
begin_answer(struct connection *c)
{
	struct exchange *x = c->exchange;

	x->is_answered = true;
	c->gateway->allowed_origin = x->origin;
}

static void
end_answer(struct connection *c)
{
	c->gateway->allowed_origin = SPAN("");
	finish(c);
}

/* {"KEY":value} */
static void
send_member(struct connection *c, int status, const char *key, struct span value)
{
	struct buf text = { 0 };
	struct jsonw w;

	begin_answer(c);
	jsonw_init(&w, &text);
	jsonw_object(&w);
	jsonw_key(&w, key);
	jsonw_raw(&w, value);
	jsonw_object_end(&w);
	buf_append_byte(&text, '\n');
	if (buf_status(&text) == 0)
		respond(c, status, "application/json", buf_span(&text),
		    "Cache-Control: no-store\r\n", (enum respond_after)c->exchange->after);
	else
		connection_fail(c);
	buf_fini(&text);
	end_answer(c);
}

static void
send_result(const struct answer *to, struct span result)
{
	send_member(to->connection, 200, "result", result);
}

/* Of a provider's own error the code alone is known. */
static void
send_error_text(const struct answer *to, enum error_code code, struct span error)
{
	const struct reply_error known = { .code = code };

	send_member(to->connection, reply_error_status(&known), "error", error);
}

static void
send_error(const struct answer *to, const struct reply_error *error)
{
	struct connection *c = to->connection;

	begin_answer(c);
	respond_error_shape(
	    c, reply_error_status(error), error, "", (enum respond_after)c->exchange->after);
	end_answer(c);
}

static const struct answer_sink answer_response = {
	.result = send_result,
	.error = send_error,
	.error_text = send_error_text,
};

/* --- the call ------------------------------------------------------------------------------ */

static bool
is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* Without the white space around it. */
static struct span
value_of(struct span text)
{
	while (text.n > 0 && is_blank(text.p[0]))
		text = span_skip(text, 1);
	while (text.n > 0 && is_blank(text.p[text.n - 1]))
		text.n--;
	return text;
}

/* The body becomes the params; false: it is none, and that was answered. */
static bool
read_params(struct exchange *x, const struct answer *to)
{
	struct span text = value_of(buf_span(&x->content));
	struct json_fault why;

	if (x->content.len == 0)
		return true;
	if (!utf8_is_valid(text)) {
		answer_fail(to, ERROR_INVALID_REQUEST, "invalid-json", NULL,
		    "The body is not valid UTF-8; send a JSON object, the params of the method");
	} else if (json_validate(text, &why) != 0) {
		answer_fail(to, ERROR_INVALID_REQUEST, "invalid-json", NULL,
		    "The body is not valid JSON at byte %zu: %s", why.offset, why.text);
	} else if (text.p[0] != '{') {
		answer_fail(to, ERROR_INVALID_REQUEST, "not-an-object", NULL,
		    "The body must be a JSON object, the params of the method");
	} else {
		x->frame.params = (struct json_value){ .kind = JSON_OBJECT, .text = text };
		return true;
	}
	return false;
}

static void
call(struct connection *c)
{
	struct exchange *x = c->exchange;
	struct answer to = { .connection = c,
		.id = SPAN("http"),
		.method = METHOD_OTHER,
		.started_ns = clock_mono_ns() };

	x->is_reading = false;
	x->is_dispatching = true;
	/* From here on the request's own time counts. */
	deadline_clear(&c->deadline);
	if (read_params(x, &to))
		dispatch_request(&to, &x->frame);
	x->is_dispatching = false;
	buf_fini(&x->content);
	finish(c);
}

void
rpc_begin_take(struct connection *c, struct exchange *x, const struct http_head *head)
{
	httpbody_init(
	    &x->body, head->chunked, head->content_length, c->gateway->conf->gateway.max_payload);
	x->is_reading = true;
	c->exchange = x;
	c->answers = &answer_response;
	if (!head->has_body)
		call(c);
	else
		deadline_set(
		    c->gateway->deadlines, &c->deadline, DEADLINE_MESSAGE, clock_mono_ms());
}

/* --- the body ------------------------------------------------------------------------------ */

/* It ends here: where the next request would begin is not known. */
static void
refuse(struct connection *c, int status, const char *reason, const char *sentence)
{
	struct exchange *x = c->exchange;

	c->gateway->allowed_origin = x->origin;
	respond_refusal(c, status, ERROR_INVALID_REQUEST, reason, sentence, RESPOND_CLOSE);
	c->gateway->allowed_origin = SPAN("");
}

static size_t
read_body(struct connection *c, const char *data, size_t len)
{
	struct exchange *x = c->exchange;
	size_t used = 0;

	switch (httpbody_take(&x->body, data, len, &x->content, &used)) {
	case HTTPBODY_MORE:
		break;
	case HTTPBODY_DONE:
		call(c);
		break;
	case HTTPBODY_BAD:
		refuse(c, 400, "invalid-body", x->body.what);
		break;
	case HTTPBODY_TOO_LARGE:
		refuse(c, 413, "too-large", "The body is larger than max_payload");
		break;
	case HTTPBODY_NOMEM:
		connection_fail(c);
		break;
	}
	return used;
}

size_t
rpc_on_data(struct connection *c, const char *data, size_t len)
{
	if (c->exchange->is_reading)
		return read_body(c, data, len);
	if (len >= PIPELINED_MAX)
		connection_pause(c);
	return 0;
}
