/*
 * Publishing and subscribing.  An event that was answered stands in the ring; it reaches the publisher's
 * own worker from there like all others.
 */
#include "gateway/method_events.h"

#include <errno.h>
#include <stdio.h>

#include "base/jsonw.h"
#include "base/parse.h"
#include "conf/conf.h"
#include "gateway/admission.h"
#include "gateway/audience.h"
#include "gateway/catchup.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/direct.h"
#include "gateway/identity.h"
#include "gateway/namespaces.h"
#include "gateway/pending.h"
#include "gateway/publisher.h"
#include "proto/names.h"
#include "proto/params.h"
#include "proto/subscription.h"

enum { PUBLISH_EVENT, PUBLISH_PAYLOAD, PUBLISH_KEY, PUBLISH_TO, PUBLISH_PARAMS };

static const struct param publish_table[PUBLISH_PARAMS] = {
	[PUBLISH_EVENT] = { .name = "event",
	    .kind = PARAM_STRING,
	    .required = true,
	    .min = 1,
	    .max = 128 },
	[PUBLISH_PAYLOAD] = { .name = "payload", .kind = PARAM_OBJECT },
	[PUBLISH_KEY] = { .name = "sessionKey",
	    .alias = "session_key",
	    .kind = PARAM_STRING,
	    .min = 1,
	    .max = ENVELOPE_SESSION_KEY_MAX },
	[PUBLISH_TO] = { .name = "to", .kind = PARAM_STRING, .min = 8, .max = 8 },
};

static void
wait_for_ring(const struct answer *to, const struct publication *publication)
{
	struct pending *pending = pending_new(to, ENVELOPE_TIMEOUT_MS_MAX, publisher_on_gone, NULL);
	int r = pending == NULL ? -ENOMEM
				: publisher_wait(to->connection->gateway, publication, pending);

	if (r == 0)
		return;
	if (pending != NULL) {
		pending_detach(pending);
		pending_free(pending);
	}
	publisher_answer(to, r, NULL);
}

static void
publish(const struct answer *to, const struct publication *publication)
{
	struct ring_receipt receipt = { 0 };
	int r = publisher_publish(to->connection->gateway, publication, &receipt);

	if (r == -EAGAIN)
		wait_for_ring(to, publication);
	else
		publisher_answer(to, r, &receipt);
}

static void
answer_directed(const struct answer *to, int r, const char *id)
{
	char text[DIRECT_ID_MAX + 16];

	if (r == 0) {
		snprintf(text, sizeof(text), "{\"id\":\"%s\"}", id);
		answer_result(to, span_cstr(text));
	} else if (r == -ENOENT) {
		answer_fail(to, ERROR_INVALID_REQUEST, "not-found", "params.to",
		    "No connection has this connId; connections.list tells those that are there");
	} else if (r == -ENOBUFS || r == -ETIMEDOUT) {
		answer_fail(to, ERROR_UNAVAILABLE, "worker-busy", NULL,
		    "The worker of this connection does not keep up; publish again");
	} else {
		publisher_answer(to, r, NULL);
	}
}

static void
publish_to(const struct answer *to, struct span conn_id, const struct publication *publication)
{
	char event_id[DIRECT_ID_MAX] = "";
	uint64_t id = 0;

	if (parse_hex_u64(conn_id, UINT32_MAX, &id) != 0)
		answer_fail(to, ERROR_INVALID_REQUEST, "invalid-field", "params.to",
		    "to must be a connId: 8 hexadecimal digits, as connections.list tells them");
	else
		answer_directed(to,
		    direct_publish(to->connection->gateway, (uint32_t)id, publication, event_id),
		    event_id);
}

/* Whether these are more bytes than the connection may publish; that was answered. */
static bool
is_too_much(const struct answer *to, const struct publication *publication)
{
	struct connection *c = to->connection;
	size_t bytes = publication->event.n + publication->session_key.n + publication->payload.n;
	uint32_t wait_ms = limits_take(&c->published_bytes,
	    c->gateway->conf->gateway.max_published_bytes_per_s, bytes, to->started_ns);

	if (wait_ms == 0)
		return false;
	limits_count(c->gateway, LIMIT_PUBLISHED_BYTES);
	answer_rate_limited(
	    to, "More bytes came than this connection may publish in a second; wait", wait_ms);
	return true;
}

/* What params_read cannot know: names, namespaces, and what is not there yet. */
static bool
is_publishable(const struct answer *to, const struct param_value *values)
{
	struct span event = values[PUBLISH_EVENT].string;

	if (!name_is_valid(event))
		answer_fail(to, ERROR_INVALID_REQUEST, "invalid-field", "params.event",
		    "event must be a name such as agent.delta: letters, digits, _ and -, in parts "
		    "joined by dots");
	else if (!namespace_is_open(event))
		answer_fail(to, ERROR_INVALID_REQUEST, "reserved-event", "params.event",
		    "%.*s is published by the gateway alone; publish agent.*, channel.*, "
		    "session.message or a namespace of your own",
		    (int)event.n, event.p);
	else if (!identity_may_publish(to->connection->identity, event))
		answer_fail(to, ERROR_INVALID_REQUEST, "forbidden", "params.event",
		    "The token of this connection may not publish %.*s, but only what its events "
		    "allow",
		    SPAN_ARGS(event));
	else
		return true;
	return false;
}

static void
publish_values(const struct answer *to, const struct param_value *values)
{
	struct publication publication = {
		.event = values[PUBLISH_EVENT].string,
		.payload = values[PUBLISH_PAYLOAD].json.text,
		.session_key = values[PUBLISH_KEY].string,
	};

	if (!values[PUBLISH_PAYLOAD].is_present)
		publication.payload = SPAN("");
	if (is_too_much(to, &publication))
		return;
	if (values[PUBLISH_TO].is_present)
		publish_to(to, values[PUBLISH_TO].string, &publication);
	else
		publish(to, &publication);
}

void
method_events_publish(const struct answer *to, const struct envelope *frame)
{
	struct params params;
	struct envelope_fault fault;
	int r = params_read(
	    &params, frame->params.text, "params", publish_table, PUBLISH_PARAMS, &fault);

	if (r == -EBADMSG) {
		answer_fault(to, &fault);
		return;
	}
	if (r != 0) {
		answer_no_memory(to);
		return;
	}
	if (is_publishable(to, params.values))
		publish_values(to, params.values);
	params_fini(&params);
}

/* What is answered, into the gateway's text buffer; false without memory. */
static bool
write_subscribed(const struct connection *c, const struct filter *filter)
{
	struct buf *text = &c->gateway->text;
	struct jsonw w;

	buf_reset(text);
	jsonw_init(&w, text);
	jsonw_object(&w);
	filter_write(filter, &w);
	jsonw_key(&w, "seq");
	jsonw_uint(&w, catchup_seq(c));
	jsonw_object_end(&w);
	return buf_status(text) == 0;
}

/* Who is told of an error has the subscription that it had: what can fail comes before the change. */
static void
subscribe_take(const struct answer *to, struct filter *filter)
{
	admission_restrict(to->connection, filter);
	if (!write_subscribed(to->connection, filter)) {
		filter_free(filter);
		answer_no_memory(to);
	} else if (audience_join_take(to->connection, filter) != 0) {
		answer_no_memory(to);
	} else {
		answer_result(to, buf_span(&to->connection->gateway->text));
	}
}

void
method_events_subscribe(const struct answer *to, const struct envelope *frame)
{
	struct filter *filter = NULL;
	struct envelope_fault fault;
	int r;

	if (to->connection->audience == NULL) {
		answer_fail(to, ERROR_INVALID_REQUEST, "unsupported", "method",
		    "An HTTP request gets no events; subscribe on a WebSocket, or GET "
		    "/api/v1/events");
		return;
	}
	r = subscription_parse(frame->params.text, "params", &filter, &fault);
	if (r == -EBADMSG)
		answer_fault(to, &fault);
	else if (r != 0)
		answer_no_memory(to);
	else
		subscribe_take(to, filter);
}
