/*
 * One frame, one verdict.  A frame that is not valid costs its sender an answer and, the 20th time in a
 * row, the connection.
 */
#include "gateway/dispatch.h"

#include "base/clock.h"
#include "conf/conf.h"
#include "gateway/answer.h"
#include "gateway/context.h"
#include "gateway/methods.h"
#include "gateway/pending.h"
#include "gateway/jobs.h"
#include "gateway/kept.h"
#include "gateway/refuse.h"
#include "gateway/requests.h"
#include "proto/envelope.h"

enum { BAD_FRAMES_MAX = 20 };

/* No frame of this protocol at all (PROTOCOL section 2). */
static void
on_bad_frame(const struct answer *to, const struct envelope_fault *fault)
{
	struct connection *c = to->connection;

	refuse_log(c, fault->sentence);
	answer_fault(to, fault);
	if (++c->bad_frames >= BAD_FRAMES_MAX)
		connection_close(c, LEDGER_BAD_FRAMES, 1008, "Too many bad frames in a row");
}

/* Whether it is one more than the connection may send; that was answered. */
static bool
is_too_often(const struct answer *to)
{
	struct connection *c = to->connection;
	uint32_t wait_ms = limits_take(
	    &c->requests, c->gateway->conf->gateway.max_requests_per_s, 1, to->started_ns);

	if (wait_ms == 0)
		return false;
	limits_count(c->gateway, LIMIT_REQUESTS);
	answer_rate_limited(
	    to, "More requests came than this connection may send in a second; wait", wait_ms);
	return true;
}

/* The method's metrics, scope and what it runs, be it built in or a provider's; false: nobody has it. */
static bool
find_method(struct answer *to, struct span name, struct method *ret)
{
	static const struct method provided = { "", METHOD_PROVIDED_SCOPE, requests_run };

	to->method = method_find(name);
	if (to->method != METHOD_OTHER) {
		*ret = *method_at(to->method);
		return true;
	}
	if (!requests_has_method(to->connection->gateway, name))
		return false;
	to->method = METHOD_PROVIDED;
	*ret = provided;
	return true;
}

void
dispatch_request(struct answer *to, const struct envelope *frame)
{
	struct connection *c = to->connection;
	const struct conf_gateway *conf = &c->gateway->conf->gateway;

	struct method method;
	bool is_known = find_method(to, frame->method, &method);

	if (is_too_often(to))
		return;
	if (pending_find(c, frame->id) != NULL)
		answer_fail(to, ERROR_INVALID_REQUEST, "duplicate-id", "id",
		    "A request of this id is still in flight; give each request an id of its own");
	else if (c->pending_count >= conf->max_in_flight)
		answer_fail(to, ERROR_UNAVAILABLE, "too-many-in-flight", NULL,
		    "%u requests are unanswered, which is the limit; wait for an answer",
		    c->pending_count);
	else if (!is_known)
		answer_fail(to, ERROR_METHOD_NOT_FOUND, NULL, "method", "Method not found: %.*s",
		    (int)frame->method.n, frame->method.p);
	else if (!method_is_allowed(&method, c->identity))
		answer_fail(to, ERROR_INVALID_REQUEST, "forbidden", "method",
		    "%.*s needs the scope %s, which the token of this connection has not got",
		    SPAN_ARGS(frame->method), method_scope_name(method.scope));
	else if (c->gateway->draining)
		answer_fail(to, ERROR_UNAVAILABLE, "shutting-down", NULL,
		    "The gateway is stopping; come back in a moment");
	else if (kept_begin(to, frame))
		method.run(to, frame);
}

/* A cancel for a request that is already answered is late, not wrong. */
static void
on_cancel(struct connection *c, const struct envelope *frame)
{
	struct pending *pending = pending_find(c, frame->id);

	if (pending != NULL)
		pending_cancel(pending);
}

/* A frame of a known type that has no place here. */
static void
refuse_frame(const struct answer *to, const char *reason, const char *sentence)
{
	answer_fail(to, ERROR_INVALID_REQUEST, reason, "type", "%s", sentence);
}

static void
on_frame(struct answer *to, const struct envelope *frame)
{
	switch (frame->type) {
	case ENVELOPE_REQUEST:
		dispatch_request(to, frame);
		break;
	case ENVELOPE_CANCEL:
		on_cancel(to->connection, frame);
		break;
	case ENVELOPE_HELLO:
		refuse_frame(
		    to, "second-hello", "hello was said already; a connection says it once");
		break;
	case ENVELOPE_RESPONSE:
	case ENVELOPE_PROGRESS:
		if (jobs_is_provider(to->connection)) {
			if (frame->type == ENVELOPE_RESPONSE)
				jobs_response(to, frame);
			else
				jobs_progress(to, frame);
			break;
		}
		refuse_frame(to, "unknown-request",
		    "No request of this id was sent to this connection, so there is nothing to "
		    "answer");
		break;
	case ENVELOPE_UNKNOWN:
		break;
	}
}

void
dispatch_message(struct connection *c, struct span text, bool binary)
{
	struct envelope frame;
	struct envelope_fault fault;
	struct answer to = {
		.connection = c, .method = METHOD_OTHER, .started_ns = clock_mono_ns()
	};
	int r = envelope_parse(text, &frame, &fault);

	(void)binary;
	to.id = frame.id;
	if (r != 0 && (frame.type == ENVELOPE_UNKNOWN || frame.id.n == 0)) {
		on_bad_frame(&to, &fault);
		return;
	}
	c->bad_frames = 0;
	if (r != 0)
		answer_fault(&to, &fault);
	else
		on_frame(&to, &frame);
}
