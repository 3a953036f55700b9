/*
 * A call is WAITING on the lines of what it waits for, LOCKED while the lock of the seats was not to be had,
 * SENT in a bucket of its token, or OWED: nobody waits for it any more, but its seat is not given back or its
 * cancel not sent yet. Seats are taken before the mail is sent and given back when the call is over.
 *
 * The places in gateway/routes are void when those are read again: so all that wait leave their lines before,
 * and look for a seat anew behind it, in their order.
 */
#include "gateway/calls.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonw.h"
#include "base/list.h"
#include "bus/bell.h"
#include "bus/counters.h"
#include "bus/mailbox.h"
#include "bus/roster.h"
#include "bus/segment.h"
#include "conf/conf.h"
#include "gateway/context.h"
#include "gateway/post.h"
#include "gateway/routes.h"

enum {
	BUCKETS = 1024,
	READS = 3,	    /* of the directory for one call, when it moves on meanwhile */
	FRAME_HEAD = 96,    /* what the provider's worker writes before the text */
	KEPT_BYTES = 65536, /* of the text under construction */
};

enum call_state { CALL_WAITING, CALL_LOCKED, CALL_SENT, CALL_OWED };

struct call {
	struct list link; /* a bucket; or calls.locked, calls.owed */
	struct list line; /* while it waits: a line of its method or provider */
	struct list all;  /* and calls.waiting */
	struct gateway *gateway;
	const struct call_sink *sink;
	void *owner;
	enum call_state state;
	bool has_seat, needs_cancel, has_reserve, has_waited;
	uint64_t token;
	uint64_t number; /* in the order of arrival */
	uint64_t end_ms; /* of its time: what the provider is told is what is left */
	struct seats_place place; /* of its seat; or of the provider of its session */
	unsigned method;	  /* while it waits: its place in the routes */
	unsigned provider;	  /* and, where it has a session, that of its provider */
	unsigned slot;		  /* the provider's worker */
	uint32_t generation;
	struct span name, session_key, text; /* text: heap, while it is not sent */
};

struct calls {
	struct list buckets[BUCKETS];
	struct list waiting, locked, owed;
	struct list by_method[PROVIDERS_METHODS]; /* those without a session */
	struct list by_provider[PROVIDERS_MAX];	  /* those with */
	uint64_t numbers;
	uint64_t news;
	uint32_t tokens;
	unsigned turn;
	unsigned waiting_count, sent_count;
	struct buf text, body;
};

static const struct {
	enum error_code code;
	const char *reason, *sentence;
} failures[CALL_FAILURES] = {
	[CALL_PROVIDER_GONE] = { ERROR_UNAVAILABLE, "provider-gone",
	    "The provider of this method has gone; whether it did what was asked is not known" },
	[CALL_NO_ROOM] = { ERROR_UNAVAILABLE, "overloaded",
	    "The provider's worker has no room for the request; try again in a moment" },
	[CALL_TOO_LARGE] = { ERROR_INVALID_REQUEST, "too-large",
	    "The request would reach its provider longer than policy.maxPayload; send less" },
	[CALL_BUSY] = { ERROR_UNAVAILABLE, "provider-busy",
	    "Too many requests wait for a provider of this method; try again in a moment" },
	[CALL_NO_METHOD] = { ERROR_METHOD_NOT_FOUND, NULL, "No provider has this method" },
	[CALL_NO_MEMORY] = { ERROR_INTERNAL_ERROR, "out-of-memory",
	    "The gateway is out of memory; try again later" },
};

const char *
call_failure_reason(enum call_failure failure)
{
	return failures[failure].reason;
}

const char *
call_failure_sentence(enum call_failure failure)
{
	return failures[failure].sentence;
}

enum error_code
call_failure_code(enum call_failure failure)
{
	return failures[failure].code;
}

/* --- life ----------------------------------------------------------------------------------- */

struct calls *
calls_new(void)
{
	struct calls *calls = mem_zalloc(sizeof(*calls));

	if (calls == NULL)
		return NULL;
	for (unsigned i = 0; i < BUCKETS; i++)
		list_init(&calls->buckets[i]);
	for (unsigned i = 0; i < PROVIDERS_METHODS; i++)
		list_init(&calls->by_method[i]);
	for (unsigned i = 0; i < PROVIDERS_MAX; i++)
		list_init(&calls->by_provider[i]);
	list_init(&calls->waiting);
	list_init(&calls->locked);
	list_init(&calls->owed);
	return calls;
}

static void
call_free(struct call *call)
{
	struct calls *calls = call->gateway->calls;

	calls->sent_count -= call->state == CALL_SENT;
	list_remove(&call->link);
	mem_free((char *)(uintptr_t)call->text.p);
	mem_free(call);
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
	for (unsigned i = 0; i < BUCKETS; i++)
		free_all(&calls->buckets[i]);
	free_all(&calls->locked);
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

static struct call *
call_new(struct gateway *g, const struct call_request *request, const struct call_sink *sink,
    void *owner)
{
	struct call *call =
	    mem_zalloc(sizeof(*call) + request->method.n + request->session_key.n);
	char *at;

	if (call == NULL)
		return NULL;
	at = (char *)(call + 1);
	memcpy(at, request->method.p, request->method.n);
	call->name = span_make(at, request->method.n);
	at += request->method.n;
	if (request->session_key.n > 0)
		memcpy(at, request->session_key.p, request->session_key.n);
	call->session_key = span_make(at, request->session_key.n);
	list_init(&call->link);
	list_init(&call->line);
	list_init(&call->all);
	call->gateway = g;
	call->sink = sink;
	call->owner = owner;
	call->state = CALL_LOCKED;
	call->number = ++g->calls->numbers;
	call->end_ms = clock_mono_ms() + request->timeout_ms;
	/* With slot and generation: no other process, nor a predecessor, ever gives the same. */
	call->token = (uint64_t)(g->generation & 0xffff) << 48 | (uint64_t)g->slot << 32 |
		      ++g->calls->tokens;
	return call;
}

/* --- seats ---------------------------------------------------------------------------------- */

static struct seats_wanted
wanted_of(const struct call *call)
{
	const struct gateway *g = call->gateway;
	const uint16_t *providers;
	struct seats_wanted wanted = {
		.slot = g->slot,
		.method = routes_copy(g->routes)->methods[call->method].index,
		.turn = g->calls->turn,
		.is_forced = call->has_waited,
	};

	if (call->session_key.n > 0) {
		wanted.places = &call->place;
		wanted.count = 1;
	} else {
		wanted.places = routes_places(g->routes, call->method);
		wanted.count = routes_providers(g->routes, call->method, &providers);
	}
	return wanted;
}

/* Gives the seat back; false when that has to be tried again. */
static bool
give_seat_back(struct gateway *g, const struct seats_place *place, bool is_granted)
{
	unsigned slot;
	int r = seats_release(g->providers, g->slot, place, is_granted, &slot);

	if (slot != SEATS_NO_SLOT && slot != g->slot)
		bell_ring(g->segment, slot);
	return r != -ETIMEDOUT;
}

static void
release(struct call *call)
{
	if (call->has_seat)
		call->has_seat = !give_seat_back(call->gateway, &call->place, false);
	if (call->has_reserve)
		mailbox_unreserve(
		    segment_mailbox(call->gateway->segment, call->gateway->slot), 0);
	call->has_reserve = false;
}

/* It waits no more, as far as others can see. */
static void
leave_line(struct call *call)
{
	struct seats_wanted wanted = wanted_of(call);

	seats_stop_waiting(call->gateway->providers, &wanted);
	list_remove(&call->line);
	list_remove(&call->all);
	call->gateway->calls->waiting_count--;
	counters_subtract(&call->gateway->counters->calls_waiting, 1);
	call->state = CALL_LOCKED;
}

/* Nobody waits for it: what others must still learn of it is done now or as soon as it can be. */
static void
retire(struct call *call)
{
	struct gateway *g = call->gateway;
	struct post_letter letter = { .slot = call->slot,
		.kind = MAIL_CANCEL,
		.token = call->token };

	release(call);
	if (call->needs_cancel) {
		int r = post_is_dead(g, call->slot, call->generation) ? 0 : post_send(g, &letter);

		call->needs_cancel = r == -ENOBUFS || r == -ETIMEDOUT;
	}
	if (!call->needs_cancel && !call->has_seat) {
		call_free(call);
		return;
	}
	g->calls->sent_count -= call->state == CALL_SENT;
	call->state = CALL_OWED;
	list_remove(&call->link);
	list_append(&g->calls->owed, &call->link);
}

/* Tells the sink the end. */
static void
fail(struct call *call, enum call_failure failure)
{
	const struct call_sink *sink = call->sink;
	void *owner = call->owner;

	retire(call);
	sink->on_failure(owner, failure);
}

/* --- sending -------------------------------------------------------------------------------- */

static void
build_body(struct call *call, struct buf *body)
{
	uint64_t now_ms = clock_mono_ms();
	struct post_call head = {
		.conn_id = call->place.conn_id,
		.timeout_ms = call->end_ms > now_ms ? (uint32_t)(call->end_ms - now_ms) : 1,
	};

	buf_reset(body);
	buf_append(body, &head, sizeof(head));
}

static int
post(struct call *call, struct span text)
{
	struct gateway *g = call->gateway;
	struct buf *body = &g->calls->body;
	struct mailbox *own = segment_mailbox(g->segment, g->slot);
	struct post_letter letter = { .slot = call->slot, .kind = MAIL_CALL, .token = call->token };
	int r;

	build_body(call, body);
	buf_append_span(body, text);
	if (buf_status(body) != 0)
		return -ENOMEM;
	if (!call->has_reserve) {
		r = mailbox_reserve(own, 0);
		if (r < 0)
			return r;
		call->has_reserve = true;
	}
	letter.body = buf_span(body);
	r = post_send(g, &letter);
	buf_rest(body, KEPT_BYTES);
	return r;
}

/*
 * The call has a seat at call->place: sends it to the worker of `provider`. Returns 0, 1 + a failure, or
 * -EAGAIN when it has to be tried again; the seat is given back then.
 */
static int
send_call(struct call *call, unsigned provider, struct span text)
{
	struct gateway *g = call->gateway;
	int r;

	call->slot = routes_copy(g->routes)->providers[provider].slot;
	call->generation = roster_generation(g->roster, call->slot);
	r = post(call, text);
	if (r == 0) {
		call->state = CALL_SENT;
		call->needs_cancel = true;
		g->calls->sent_count++;
		list_remove(&call->link);
		list_append(&g->calls->buckets[call->token % BUCKETS], &call->link);
		mem_free((char *)(uintptr_t)call->text.p);
		call->text = span_make(NULL, 0);
		return 0;
	}
	release(call);
	if (r == -ETIMEDOUT)
		return -EAGAIN;
	if (r == -ENOMEM)
		return 1 + CALL_NO_MEMORY;
	return 1 + (r == -EMSGSIZE ? CALL_TOO_LARGE : CALL_NO_ROOM);
}

/* --- looking for a seat --------------------------------------------------------------------- */

static void
enter_line(struct call *call)
{
	struct calls *calls = call->gateway->calls;

	call->state = CALL_WAITING;
	call->has_waited = true;
	list_remove(&call->link);
	list_append(&calls->waiting, &call->all);
	list_append(call->session_key.n > 0 ? &calls->by_provider[call->provider] :
					      &calls->by_method[call->method],
	    &call->line);
	calls->waiting_count++;
	counters_add(&call->gateway->counters->calls_waiting, 1);
}

/* Finds the method, and the provider of its session, in the routes as they are now. */
static bool
find_route(struct call *call)
{
	const struct gateway *g = call->gateway;
	const uint16_t *providers;

	call->method = routes_find(g->routes, call->name);
	if (call->method == ROUTES_NONE)
		return false;
	if (call->session_key.n > 0) {
		unsigned which = routes_pick(g->routes, call->method, call->session_key);

		(void)routes_providers(g->routes, call->method, &providers);
		call->provider = providers[which];
		call->place = routes_places(g->routes, call->method)[which];
	}
	return true;
}

static int
take_seat(struct call *call, unsigned which, struct span text)
{
	struct gateway *g = call->gateway;
	const uint16_t *providers;
	unsigned provider = call->provider;

	if (call->session_key.n == 0) {
		(void)routes_providers(g->routes, call->method, &providers);
		provider = providers[which];
		call->place = routes_places(g->routes, call->method)[which];
	}
	g->calls->turn++;
	call->has_seat = true;
	return send_call(call, provider, text);
}

/*
 * Looks for a seat and sends the call, or lets it wait. Returns 0, 1 + a failure, or -EAGAIN: to be tried
 * again. A call that is not sent needs its text.
 */
static int
admit(struct call *call, struct span text)
{
	struct gateway *g = call->gateway;
	unsigned which = 0;

	for (unsigned i = 0; i < READS; i++) {
		struct seats_wanted wanted;

		if (!find_route(call))
			return 1 + (call->has_waited ? CALL_PROVIDER_GONE : CALL_NO_METHOD);
		wanted = wanted_of(call);
		switch (seats_take(g->providers, &wanted, &which)) {
		case SEATS_TAKEN:
			return take_seat(call, which, text);
		case SEATS_WAITS:
			enter_line(call);
			return 0;
		case SEATS_FULL:
			return 1 + CALL_BUSY;
		case SEATS_LOCKED:
			return -EAGAIN;
		case SEATS_STALE:
			/* Others wait in lines of these routes: they are read again in the turn. */
			if (g->calls->waiting_count > 0 || routes_read(g) != 0)
				return -EAGAIN;
			break;
		}
	}
	return -EAGAIN;
}

static bool
keep_text(struct call *call, struct span text)
{
	char *copy;

	if (call->text.p != NULL)
		return true;
	copy = mem_alloc(text.n);
	if (copy == NULL)
		return false;
	memcpy(copy, text.p, text.n);
	call->text = span_make(copy, text.n);
	return true;
}

/* The rest of the frame that the provider gets. */
static void
build_text(const struct call_request *request, struct buf *text)
{
	char conn_id[9];
	struct jsonw w;

	buf_reset(text);
	jsonw_init(&w, text);
	buf_append_cstr(text, "\"method\":\"");
	buf_append_span(text, request->method);
	buf_append_byte(text, '"');
	w.comma = true;
	if (request->params.n > 0) {
		jsonw_key(&w, "params");
		jsonw_raw(&w, request->params);
	}
	if (request->session_key.n > 0) {
		jsonw_key(&w, "sessionKey");
		jsonw_str(&w, request->session_key);
	}
	snprintf(conn_id, sizeof(conn_id), "%08" PRIx32, request->conn_id);
	jsonw_key(&w, "caller");
	jsonw_object(&w);
	jsonw_key(&w, "connId");
	jsonw_cstr(&w, conn_id);
	jsonw_key(&w, "clientId");
	jsonw_str(&w, request->client_id);
	jsonw_object_end(&w);
	jsonw_object_end(&w);
}

/* With the text in place. */
static int
begin(struct gateway *g, struct call *call, struct span text)
{
	int r = list_is_empty(&g->calls->locked) ? admit(call, text) : -EAGAIN;

	if (r > 0 || call->state == CALL_SENT)
		return r;
	if (!keep_text(call, text)) {
		if (call->state == CALL_WAITING)
			leave_line(call);
		return 1 + CALL_NO_MEMORY;
	}
	if (r == -EAGAIN)
		list_append(&g->calls->locked, &call->link);
	return 0;
}

int
calls_start(struct gateway *g, const struct call_request *request, const struct call_sink *sink,
    void *owner, struct call **ret)
{
	struct buf *text = &g->calls->text;
	struct call *call;
	int r;

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
		retire(call);
		return r;
	}
	counters_add(&g->counters->calls_started, 1);
	*ret = call;
	return 0;
}

void
call_cancel(struct call *call)
{
	if (call->state == CALL_WAITING)
		leave_line(call);
	retire(call);
}

/* --- mail ----------------------------------------------------------------------------------- */

static struct call *
find_call(const struct gateway *g, const struct mail *mail)
{
	struct list *at, *bucket = &g->calls->buckets[mail->token % BUCKETS];

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
	retire(call);
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

/* --- turns ---------------------------------------------------------------------------------- */

/* Tries calls that are in no line; those that still cannot be dealt with come back to `locked`. */
static void
admit_again(struct gateway *g, struct list *from)
{
	struct list *first;
	bool is_locked = false;

	while ((first = list_first(from)) != NULL) {
		struct call *call = container_of(first, struct call, link);
		int r;

		list_remove(&call->link);
		/* One time-out of the lock is enough for a turn. */
		r = is_locked ? -EAGAIN : admit(call, call->text);
		if (r == -EAGAIN) {
			is_locked = true;
			list_append(&g->calls->locked, &call->link);
		} else if (r > 0) {
			fail(call, (enum call_failure)(r - 1));
		}
	}
}

/* Reads the directory, if that can be done now, and lets all that wait look for a seat anew. */
static void
follow_directory(struct gateway *g)
{
	struct list again, *first;

	list_init(&again);
	while ((first = list_first(&g->calls->waiting)) != NULL) {
		struct call *call = container_of(first, struct call, all);

		leave_line(call);
		list_append(&again, &call->link);
	}
	/* Where it cannot be read now, they wait as before, and the next turn tries again. */
	if (routes_read(g) != 0)
		g->calls->news = UINT64_MAX;
	admit_again(g, &again);
}

/* The call that has waited longest of those that this provider can serve; NULL: none. */
static struct call *
find_oldest(const struct gateway *g, unsigned provider)
{
	const struct providers_provider *p = &routes_copy(g->routes)->providers[provider];
	struct list *first = list_first(&g->calls->by_provider[provider]);
	struct call *oldest = first != NULL ? container_of(first, struct call, line) : NULL;

	for (unsigned i = 0; i < p->method_count; i++) {
		struct call *call;

		first = list_first(&g->calls->by_method[p->methods[i]]);
		if (first == NULL)
			continue;
		call = container_of(first, struct call, line);
		if (oldest == NULL || call->number < oldest->number)
			oldest = call;
	}
	return oldest;
}

/* One seat was granted at this provider. False: the lock was not to be had. */
static bool
use_grant(struct gateway *g, unsigned provider)
{
	const struct providers_provider *p = &routes_copy(g->routes)->providers[provider];
	const struct seats_place place = { .conn_id = p->conn_id, .row = p->row };
	struct call *call = find_oldest(g, provider);
	int r;

	if (call == NULL)
		return give_seat_back(g, &place, true);
	r = seats_use(g->providers, g->slot, &place);
	if (r != 0)
		return false;
	leave_line(call);
	call->place = place;
	call->has_seat = true;
	r = send_call(call, provider, call->text);
	if (r == -EAGAIN)
		list_append(&g->calls->locked, &call->link);
	else if (r > 0)
		fail(call, (enum call_failure)(r - 1));
	return true;
}

static void
use_grants(struct gateway *g)
{
	const struct providers_copy *copy = routes_copy(g->routes);

	for (unsigned i = 0; i < copy->provider_count; i++) {
		while (seats_granted(g->providers, g->slot, copy->providers[i].row) > 0) {
			if (use_grant(g, i))
				continue;
			g->calls->news = UINT64_MAX; /* looked at again in the next turn */
			break;
		}
	}
}

static void
settle_owed(struct gateway *g)
{
	struct list *at, *tmp;

	LIST_FOREACH_SAFE (at, tmp, &g->calls->owed)
		retire(container_of(at, struct call, link));
}

static void
take_list(struct list *from, struct list *ret)
{
	struct list *first;

	list_init(ret);
	while ((first = list_first(from)) != NULL) {
		list_remove(first);
		list_append(ret, first);
	}
}

void
calls_turn(struct gateway *g)
{
	struct calls *calls = g->calls;
	uint64_t news = providers_news(g->providers, g->slot);
	struct list again;

	if (news == calls->news && list_is_empty(&calls->locked) && list_is_empty(&calls->owed) &&
	    !routes_is_stale(g))
		return;
	calls->news = news;
	settle_owed(g);
	if (routes_is_stale(g))
		follow_directory(g);
	take_list(&calls->locked, &again);
	admit_again(g, &again);
	use_grants(g);
}

void
calls_look(struct gateway *g)
{
	struct list dead, *at, *tmp, *first;

	list_init(&dead);
	for (unsigned i = 0; i < BUCKETS && g->calls->sent_count > 0; i++) {
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
		fail(call, CALL_PROVIDER_GONE);
	}
}
