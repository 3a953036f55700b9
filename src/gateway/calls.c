/*
 * The face of the calls: begins them, ends them, and tells their sinks.
 */
#include "gateway/calls.h"

#include <string.h>

#include "base/alloc.h"
#include "base/digits.h"
#include "base/jsonw.h"
#include "bus/counters.h"
#include "bus/mailbox.h"
#include "conf/conf.h"
#include "gateway/call.h"
#include "gateway/callline.h"
#include "gateway/context.h"
#include "gateway/post.h"
#include "gateway/routes.h"

enum {
	FRAME_HEAD = 96,    /* what the provider's worker writes before the text */
	KEPT_BYTES = 65536, /* of the text under construction */
	CONN_ID_DIGITS = 8,
	WAITING_BYTES_MAX = 64 * 1024 * 1024, /* of the requests of this worker that wait */
};

struct calls *
calls_new(void)
{
	struct calls *calls = mem_zalloc(sizeof(*calls));

	if (calls == NULL)
		return NULL;
	for (unsigned i = 0; i < CALL_BUCKETS; i++)
		list_init(&calls->buckets[i]);
	for (unsigned i = 0; i < PROVIDERS_METHODS; i++)
		list_init(&calls->by_method[i]);
	for (unsigned i = 0; i < PROVIDERS_MAX; i++)
		list_init(&calls->by_provider[i]);
	list_init(&calls->waiting);
	list_init(&calls->locked);
	list_init(&calls->stalled);
	list_init(&calls->owed);
	return calls;
}

static void
free_all(struct list *list)
{
	struct list *first;

	while ((first = list_first(list)) != NULL)
		call_free(container_of(first, struct call, link));
}

void
calls_free(struct calls *calls)
{
	struct list *first;

	if (calls == NULL)
		return;
	for (unsigned i = 0; i < CALL_BUCKETS; i++)
		free_all(&calls->buckets[i]);
	free_all(&calls->locked);
	free_all(&calls->stalled);
	free_all(&calls->owed);
	while ((first = list_first(&calls->waiting)) != NULL) {
		struct call *call = container_of(first, struct call, all);

		list_remove(&call->all);
		list_remove(&call->line);
		call_free(call);
	}
	buf_fini(&calls->text);
	buf_fini(&calls->body);
	mem_free(calls);
}

/* Returns 0 or 1 + a failure. */
static int
keep_text(struct call *call, struct span text)
{
	struct calls *calls = call->gateway->calls;
	char *copy;

	if (text.n > WAITING_BYTES_MAX - calls->waiting_bytes)
		return 1 + CALL_BUSY;
	copy = mem_alloc(text.n);
	if (copy == NULL)
		return 1 + CALL_NO_MEMORY;
	memcpy(copy, text.p, text.n);
	call->text = span_make(copy, text.n);
	calls->waiting_bytes += text.n;
	return 0;
}

/* The rest of the frame that the provider gets. */
static void
build_text(const struct call_request *request, struct buf *text)
{
	static const struct span caller = SPAN_INIT(",\"caller\":{\"connId\":\"");
	static const struct span client = SPAN_INIT("\",\"clientId\":\"");
	static const struct span end = SPAN_INIT("\"}}");

	buf_reset(text);
	buf_append_span(text, SPAN("\"method\":\""));
	buf_append_span(text, request->method);
	buf_append_byte(text, '"');
	if (request->params.n > 0) {
		buf_append_span(text, SPAN(",\"params\":"));
		buf_append_span(text, request->params);
	}
	if (request->session_key.n > 0) {
		buf_append_span(text, SPAN(",\"sessionKey\":\""));
		jsonw_escape(text, request->session_key);
		buf_append_byte(text, '"');
	}
	buf_append_span(text, caller);
	if (buf_reserve(text, CONN_ID_DIGITS)) {
		digits_put_hex(text->data + text->len, CONN_ID_DIGITS, request->conn_id);
		text->len += CONN_ID_DIGITS;
	}
	buf_append_span(text, client);
	jsonw_escape(text, request->client_id);
	buf_append_span(text, end);
}

/* With the text in place. */
static int
begin(struct gateway *g, struct call *call, struct span text)
{
	int r = list_is_empty(&g->calls->locked) ? callline_admit(call, text) : -1;

	int kept;

	if (r > 0 || call->state == CALL_SENT)
		return r;
	kept = keep_text(call, text);
	if (kept != 0 && call->state == CALL_WAITING)
		callline_leave(call);
	else if (kept == 0 && r < 0)
		list_append(&g->calls->locked, &call->link);
	return kept;
}

bool
calls_have_method(struct gateway *g, struct span method)
{
	callline_follow(g);
	return routes_find(g->routes, method) != ROUTES_NONE;
}

int
calls_start(struct gateway *g, const struct call_request *request, const struct call_sink *sink,
    void *owner, struct call **ret)
{
	struct buf *text = &g->calls->text;
	struct call *call;
	int r;

	callline_follow(g);
	build_text(request, text);
	if (buf_status(text) != 0)
		return 1 + CALL_NO_MEMORY;
	if (text->len + FRAME_HEAD > g->conf->gateway.max_payload)
		return 1 + CALL_TOO_LARGE;
	call = call_new(g, request, sink, owner);
	if (call == NULL)
		return 1 + CALL_NO_MEMORY;
	r = begin(g, call, buf_span(text));
	buf_rest(text, KEPT_BYTES);
	if (r > 0) {
		call_retire(call);
		return r;
	}
	counters_add(&g->counters->calls_started, 1);
	*ret = call;
	return 0;
}

void
call_hand_to(struct call *call, const struct call_sink *sink, void *owner)
{
	call->sink = sink;
	call->owner = owner;
}

void
call_cancel(struct call *call)
{
	if (call->state == CALL_WAITING)
		callline_leave(call);
	call_retire(call);
}

static struct call *
find_call(const struct gateway *g, const struct mail *mail)
{
	struct list *at, *bucket = &g->calls->buckets[mail->token % CALL_BUCKETS];

	LIST_FOREACH (at, bucket) {
		struct call *call = container_of(at, struct call, link);

		if (call->token == mail->token && call->slot == mail->from_slot &&
		    call->generation == mail->from_generation)
			return call;
	}
	return NULL;
}

/* The provider has answered: the seat is free, and it needs no cancel. */
static void
finish(struct call *call, const struct mail *mail)
{
	const struct call_sink *sink = call->sink;
	void *owner = call->owner;
	unsigned code = mail->body.n > 0 ? (unsigned char)mail->body.p[0] : ERROR_CODE_COUNT;

	call->needs_cancel = false;
	call_retire(call);
	if (mail->kind == MAIL_RESULT)
		sink->on_result(owner, mail->body);
	else if (mail->kind == MAIL_ERROR && code < ERROR_CODE_COUNT)
		sink->on_error(owner, (enum error_code)code, span_skip(mail->body, 1));
	else
		sink->on_failure(owner, CALL_PROVIDER_GONE);
}

void
calls_mail(struct gateway *g, const struct mail *mail)
{
	struct call *call = find_call(g, mail);

	if (call == NULL)
		return;
	if (mail->kind == MAIL_PROGRESS)
		call->sink->on_progress(call->owner, mail->body);
	else
		finish(call, mail);
}

static void
settle_owed(struct gateway *g)
{
	struct list *at, *tmp;

	LIST_FOREACH_SAFE (at, tmp, &g->calls->owed)
		call_retire(container_of(at, struct call, link));
}

void
calls_turn(struct gateway *g, uint64_t news)
{
	if (!list_is_empty(&g->calls->owed))
		settle_owed(g);
	callline_turn(g, news);
}

void
calls_look(struct gateway *g)
{
	struct list dead, *at, *tmp, *first;

	list_init(&dead);
	for (unsigned i = 0; i < CALL_BUCKETS && g->calls->sent_count > 0; i++) {
		LIST_FOREACH_SAFE (at, tmp, &g->calls->buckets[i]) {
			struct call *call = container_of(at, struct call, link);

			if (!post_is_dead(g, call->slot, call->generation))
				continue;
			list_remove(at);
			list_append(&dead, at);
		}
	}
	/* What a sink does can end others of them: these leave the list by themselves. */
	while ((first = list_first(&dead)) != NULL) {
		struct call *call = container_of(first, struct call, link);

		call->needs_cancel = false;
		call_fail(call, CALL_PROVIDER_GONE);
	}
}
