/*
 * A stream is a connection in an audience like any other; only the form of what it is sent differs, and that
 * nothing is read from it.  Comments keep what stands between it and us from hanging up.
 */
#include "gateway/stream.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "bus/counters.h"
#include "bus/ring.h"
#include "gateway/admission.h"
#include "gateway/audience.h"
#include "gateway/catchup.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/greeting.h"
#include "gateway/outcomes.h"
#include "gateway/respond.h"
#include "proto/filter.h"
#include "proto/names.h"
#include "proto/query.h"
#include "proto/sse.h"
#include "proto/subscription.h"
#include "proto/utf8.h"

/* What the query asks for, decoded. */
struct wanted {
	bool has_events;
	size_t event_count, key_count;
	struct span events[SUBSCRIPTION_EVENTS_MAX];
	struct span keys[SUBSCRIPTION_KEYS_MAX];
	struct span position; /* as Last-Event-ID has it; n == 0: none */
	char *at, *end;	      /* the free rest of store, which is as long as the query */
	char store[];
};

/* --- the query ------------------------------------------------------------------------------- */

/* Decodes to the store; false: it is not encoded right. */
static bool
decode(struct wanted *wanted, struct span text, struct span *ret)
{
	size_t len = 0;

	if (query_decode(text, wanted->at, (size_t)(wanted->end - wanted->at), &len) < 0)
		return false;
	*ret = span_make(wanted->at, len);
	wanted->at += len;
	return true;
}

static bool
add_events(struct wanted *wanted, struct span value)
{
	struct span list;

	if (!decode(wanted, value, &list))
		return false;
	wanted->has_events = true;
	for (;;) {
		const char *comma = list.n > 0 ? memchr(list.p, ',', list.n) : NULL;
		size_t n = comma != NULL ? (size_t)(comma - list.p) : list.n;
		struct span pattern = span_make(list.p, n);

		if (!pattern_is_valid(pattern) || wanted->event_count == SUBSCRIPTION_EVENTS_MAX)
			return false;
		wanted->events[wanted->event_count++] = pattern;
		if (comma == NULL)
			return true;
		list = span_skip(list, n + 1);
	}
}

static bool
add_key(struct wanted *wanted, struct span value)
{
	struct span key;

	if (!decode(wanted, value, &key) || key.n == 0 || key.n > SUBSCRIPTION_KEY_BYTES_MAX ||
	    !utf8_is_valid(key) || wanted->key_count == SUBSCRIPTION_KEYS_MAX)
		return false;
	wanted->keys[wanted->key_count++] = key;
	return true;
}

/* NULL, or the name of what is wrong. */
static const char *
read_query(struct wanted *wanted, const struct http_head *head)
{
	const struct http_header *last = http_head_find(head, "Last-Event-ID");
	struct span query = head->query;
	struct query_pair pair;

	while (query_next(&query, &pair)) {
		if (span_is(pair.name, "events") && !add_events(wanted, pair.value))
			return "events";
		if (span_is(pair.name, "sessionKeys") && !add_key(wanted, pair.value))
			return "sessionKeys";
		if (span_is(pair.name, "lastEventId") &&
		    !decode(wanted, pair.value, &wanted->position))
			return "lastEventId";
	}
	/* A browser's own, of a connection that was lost, is newer than that of the page's address. */
	if (last != NULL)
		wanted->position = last->value;
	return NULL;
}

static const char *
sentence_for(const char *field)
{
	if (strcmp(field, "events") == 0)
		return "events must be at most 256 patterns with commas between them: the name of "
		       "an "
		       "event, a prefix followed by .*, or *";
	if (strcmp(field, "sessionKeys") == 0)
		return "sessionKeys must be a key of 1 to 256 bytes of UTF-8, and may be given "
		       "1024 "
		       "times";
	return "lastEventId must be percent-encoded";
}

static void
refuse(struct connection *c, const struct http_head *head, const char *field)
{
	struct reply_error error = {
		.code = ERROR_INVALID_REQUEST, .reason = "invalid-field", .field = field
	};

	reply_error_say(&error, "%s", sentence_for(field));
	respond_error_shape(
	    c, 400, &error, "", head->has_body ? RESPOND_CLOSE : respond_after_of(c, head));
}

/* --- the stage ------------------------------------------------------------------------------- */

static size_t
on_data(struct connection *c, char *data, size_t len)
{
	(void)c;
	(void)data;
	return len;
}

static void
keep_alive(struct connection *c)
{
	deadline_set(c->gateway->deadlines, &c->deadline, DEADLINE_PING, clock_mono_ms());
}

/* One that takes nothing is not told more; the events that it does not take end it in time. */
static void
on_expired(struct connection *c, enum deadline_kind kind)
{
	struct buf text = { 0 };

	(void)kind;
	if (traffic_owed(c->traffic) == 0 && !c->stalled) {
		sse_append_comment(&text);
		connection_queue(c, buf_span(&text));
		buf_fini(&text);
	}
	if (c->state == CONNECTION_OPEN)
		keep_alive(c);
}

static void
on_closing(struct connection *c)
{
	counters_subtract(&c->gateway->counters->event_streams, 1);
	catchup_leave(c);
	audience_leave(c);
	admission_leave(c);
}

static void
on_drained(struct connection *c)
{
	catchup_on_drained(c);
}

/* Nothing that comes behind the request means anything; the peer is done when it closes. */
static bool
on_goodbye(struct connection *c, char *data, size_t len)
{
	(void)c;
	(void)data;
	(void)len;
	return false;
}

static const struct connection_handler handler = {
	.on_data = on_data,
	.on_expired = on_expired,
	.on_closing = on_closing,
	.on_drained = on_drained,
	.on_goodbye = on_goodbye,
};

/* --- the beginning --------------------------------------------------------------------------- */

static void
write_hello(struct connection *c, const struct greeting_position *position, bool recovered,
    const struct filter *filter, struct buf *out)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object(&w);
	jsonw_key(&w, "type");
	jsonw_cstr(&w, "hello");
	greeting_write_server(c, &w);
	filter_write(filter, &w);
	greeting_write_resume(c->gateway, position, recovered, &w);
	jsonw_object_end(&w);
}

/* Head and hello, into the gateway's reply buffer; false without memory. */
static bool
write_opening(struct connection *c, const struct greeting_position *position, bool recovered,
    const struct filter *filter)
{
	struct gateway *g = c->gateway;

	buf_reset(&g->text);
	write_hello(c, position, recovered, filter, &g->text);
	buf_reset(&g->reply);
	respond_open_write(c, &g->reply, "text/event-stream",
	    "Cache-Control: no-store\r\nX-Accel-Buffering: no\r\n");
	buf_append_cstr(&g->reply, "retry: 1000\n");
	sse_append(&g->reply, SPAN("hello"), span_cstr(ring_epoch(g->ring)),
	    recovered ? position->seq : g->level_seq, buf_span(&g->text));
	return buf_status(&g->text) == 0 && buf_status(&g->reply) == 0;
}

static void
start_take(struct connection *c, const struct greeting_position *position, struct filter *filter)
{
	bool recovered = greeting_is_recovered(c->gateway, position);

	admission_restrict(c, filter);
	if (!write_opening(c, position, recovered, filter)) {
		filter_free(filter);
		connection_fail(c);
		return;
	}
	c->is_stream = true;
	if (audience_join_take(c, filter) != 0) {
		connection_fail(c);
		return;
	}
	c->handler = &handler;
	counters_add(&c->gateway->counters->event_streams, 1);
	outcome_settle(c, OUTCOME_STREAM);
	keep_alive(c);
	connection_queue(c, buf_span(&c->gateway->reply));
	if (c->state == CONNECTION_OPEN && recovered && position->seq != c->gateway->level_seq)
		catchup_begin(c, position->seq);
}

static void
begin(struct connection *c, const struct http_head *head, struct wanted *wanted)
{
	struct greeting_position position = { 0 };
	const char *wrong = read_query(wanted, head);
	struct filter *filter;

	if (wrong != NULL) {
		refuse(c, head, wrong);
		return;
	}
	/* What is no position is one of a stream that is gone: a client must not be stuck with it. */
	position.is_given = wanted->position.n > 0;
	if (!sse_position_read(wanted->position, &position.epoch, &position.seq))
		position.epoch = SPAN("");
	filter = filter_new(wanted->has_events ? wanted->events : NULL, wanted->event_count,
	    wanted->keys, wanted->key_count);
	if (filter == NULL)
		connection_fail(c);
	else
		start_take(c, &position, filter);
}

void
stream_begin(struct connection *c, const struct http_head *head)
{
	struct wanted *wanted;

	if (c->gateway->draining) {
		respond_refusal(c, 503, ERROR_UNAVAILABLE, "shutting-down",
		    "The gateway is stopping; come back in a moment", RESPOND_CLOSE);
		return;
	}
	wanted = mem_zalloc(sizeof(*wanted) + head->query.n);
	if (wanted == NULL) {
		connection_fail(c);
		return;
	}
	wanted->at = wanted->store;
	wanted->end = wanted->store + head->query.n;
	begin(c, head, wanted);
	mem_free(wanted);
	if (!c->is_stream && c->state == CONNECTION_OPEN)
		admission_leave(c);
}
