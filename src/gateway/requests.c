/*
 * Time-out, cancel and the client's end are the pending's; the call is cancelled with it.
 */
#include "gateway/requests.h"

#include "conf/conf.h"
#include "gateway/calls.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/identity.h"
#include "gateway/kept.h"
#include "gateway/pending.h"
#include "proto/hello.h"

enum { SLOW_FACTOR = 4 }; /* of max_buffered_bytes: whoever has not taken that much is too slow */

static void
on_result(void *owner, struct span result)
{
	struct pending *pending = owner;

	pending_detach(pending);
	answer_result(&pending->answer, result);
	pending_free(pending);
}

static void
on_error(void *owner, enum error_code code, struct span error)
{
	struct pending *pending = owner;

	pending_detach(pending);
	answer_error(&pending->answer, code, error);
	pending_free(pending);
}

static void
answer_failure(const struct answer *to, enum call_failure failure)
{
	answer_fail(to, call_failure_code(failure), call_failure_reason(failure), NULL, "%s",
	    call_failure_sentence(failure));
}

static void
on_failure(void *owner, enum call_failure failure)
{
	struct pending *pending = owner;

	pending_detach(pending);
	answer_failure(&pending->answer, failure);
	pending_free(pending);
}

/* Progress has no bound of its own: whoever does not take it cannot be sent the rest, either. */
static void
give_up_slow(struct pending *pending)
{
	struct call *call = pending->owner;

	pending_detach(pending);
	call_cancel(call);
	answer_fail(&pending->answer, ERROR_UNAVAILABLE, "too-slow", NULL,
	    "The progress of this request was not taken in time, so the request was cancelled");
	pending_free(pending);
}

static void
on_progress(void *owner, struct span payload)
{
	struct pending *pending = owner;
	const struct connection *c = pending->answer.connection;

	if (traffic_queued(c->traffic) > SLOW_FACTOR * c->gateway->conf->gateway.max_buffered_bytes)
		give_up_slow(pending);
	else
		answer_progress(&pending->answer, payload);
}

static const struct call_sink sink = { on_result, on_error, on_failure, on_progress };

static void
on_gone(struct pending *pending)
{
	struct answer *to = &pending->answer;
	struct connection *c = to->connection;

	if (to->ticket == 0 || c->state == CONNECTION_OPEN) {
		call_cancel(pending->owner);
		return;
	}
	kept_adopt(c->gateway, pending->owner, to->ticket, pending->deadline_ms);
	to->ticket = 0;
}

bool
requests_has_method(struct gateway *g, struct span method)
{
	return calls_have_method(g, method);
}

static struct span
client_id(const struct connection *c)
{
	if (c->hello != NULL)
		return c->hello->client.id;
	return span_cstr(c->identity != NULL ? c->identity->name : "");
}

void
requests_run(const struct answer *to, const struct envelope *frame)
{
	struct connection *c = to->connection;
	struct call_request request = {
		.method = frame->method,
		.params = frame->params.kind == JSON_OBJECT ? frame->params.text : SPAN(""),
		.session_key = frame->session_key,
		.timeout_ms = frame->timeout_ms,
		.conn_id = c->id,
		.client_id = client_id(c),
		.ticket = to->ticket,
	};
	struct pending *pending = pending_new(to, frame->timeout_ms, on_gone, NULL);
	struct call *call;
	int r;

	if (pending == NULL) {
		answer_no_memory(to);
		return;
	}
	request.end_ms = pending->deadline_ms;
	r = calls_start(c->gateway, &request, &sink, pending, &call);
	if (r == 0) {
		pending->owner = call;
		return;
	}
	pending_detach(pending);
	pending_free(pending);
	answer_failure(to, (enum call_failure)(r - 1));
}
