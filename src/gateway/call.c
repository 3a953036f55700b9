/*
 * What is said to others about one call: its seat, its request, its cancel.
 */
#include "gateway/call.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "bus/bell.h"
#include "bus/idempotency.h"
#include "bus/mailbox.h"
#include "bus/roster.h"
#include "bus/segment.h"
#include "gateway/context.h"
#include "gateway/post.h"
#include "gateway/routes.h"

enum {
	KEPT_BYTES = 65536, /* of the mail under construction */
	RESERVE_EACH = 64,
	RESERVE_BYTES =
	    RESERVE_EACH * MAILBOX_OVERHEAD, /* as one mail: no less than as so many empty ones */
};

struct call *
call_new(struct gateway *g, const struct call_request *request, const struct call_sink *sink,
    void *owner)
{
	struct call *call = mem_zalloc(sizeof(*call) + request->method.n + request->session_key.n);
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
	call->ticket = request->ticket;
	call->sink = sink;
	call->owner = owner;
	call->state = CALL_LOCKED;
	call->number = ++g->calls->numbers;
	call->timeout_ms = request->timeout_ms;
	call->end_ms = request->end_ms;
	/* With slot and generation: no other process, nor a predecessor, ever gives the same. */
	call->token =
	    (uint64_t)(g->generation & 0xffff) << 48 | (uint64_t)g->slot << 32 | ++g->calls->tokens;
	return call;
}

static void
drop_text(struct call *call)
{
	call->gateway->calls->waiting_bytes -= call->text.n;
	mem_free((char *)(uintptr_t)call->text.p);
	call->text = span_make(NULL, 0);
}

void
call_free(struct call *call)
{
	struct calls *calls = call->gateway->calls;

	calls->sent_count -= call->state == CALL_SENT;
	list_remove(&call->link);
	drop_text(call);
	mem_free(call);
}

bool
call_give_seat_back(struct gateway *g, const struct seats_place *place, bool is_granted)
{
	unsigned slot;
	int r = seats_release(g->providers, g->slot, place, is_granted, &slot);

	if (slot != SEATS_NO_SLOT && slot != g->slot)
		bell_ring(g->segment, slot);
	return r != -ETIMEDOUT;
}

/* Room for the news that a provider has gone, for RESERVE_EACH calls at a time. */
static int
reserve(struct call *call)
{
	struct gateway *g = call->gateway;
	struct calls *calls = g->calls;
	int r;

	if (calls->reserved_count + 1 > calls->reserves * RESERVE_EACH) {
		r = mailbox_reserve(segment_mailbox(g->segment, g->slot), RESERVE_BYTES);
		if (r < 0)
			return r;
		calls->reserves++;
	}
	calls->reserved_count++;
	call->has_reserve = true;
	return 0;
}

static void
unreserve(struct call *call)
{
	struct gateway *g = call->gateway;
	struct calls *calls = g->calls;

	call->has_reserve = false;
	calls->reserved_count--;
	/* One is kept, so that a call after the other does not ask for it each time. */
	while (calls->reserves > 0 &&
	       (calls->reserved_count == 0 ||
		   calls->reserved_count + RESERVE_EACH < (calls->reserves - 1) * RESERVE_EACH)) {
		mailbox_unreserve(segment_mailbox(g->segment, g->slot), RESERVE_BYTES);
		calls->reserves--;
	}
}

static void
release(struct call *call)
{
	if (call->has_seat)
		call->has_seat = !call_give_seat_back(call->gateway, &call->place, false);
	if (call->has_reserve)
		unreserve(call);
}

void
call_retire(struct call *call)
{
	struct gateway *g = call->gateway;
	struct post_letter letter = {
		.slot = call->slot, .kind = MAIL_CANCEL, .token = call->token
	};

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

void
call_fail(struct call *call, enum call_failure failure)
{
	const struct call_sink *sink = call->sink;
	void *owner = call->owner;

	call_retire(call);
	sink->on_failure(owner, failure);
}

/* What is left of its time. */
static uint32_t
time_left_ms(const struct call *call)
{
	uint64_t now_ms;

	if (!call->has_waited)
		return call->timeout_ms;
	now_ms = clock_mono_ms();
	return call->end_ms > now_ms ? (uint32_t)(call->end_ms - now_ms) : 1;
}

static void
build_body(const struct call *call, struct buf *body)
{
	const struct post_call head = {
		.conn_id = call->place.conn_id,
		.ticket = call->ticket,
		.timeout_ms = time_left_ms(call),
	};

	buf_reset(body);
	buf_append(body, &head, sizeof(head));
}

static int
post(struct call *call, struct span text)
{
	struct gateway *g = call->gateway;
	struct buf *body = &g->calls->body;
	struct post_letter letter = { .slot = call->slot, .kind = MAIL_CALL, .token = call->token };
	int r;

	build_body(call, body);
	buf_append_span(body, text);
	if (buf_status(body) != 0)
		return -ENOMEM;
	if (!call->has_reserve) {
		r = reserve(call);
		if (r < 0)
			return r;
	}
	letter.body = buf_span(body);
	r = post_send(g, &letter);
	buf_rest(body, KEPT_BYTES);
	return r;
}

int
call_send(struct call *call, unsigned provider, struct span text)
{
	struct gateway *g = call->gateway;
	int r;

	call->slot = routes_copy(g->routes)->providers[provider].slot;
	call->generation = roster_generation(g->roster, call->slot);
	/* Before it is sent: whoever dies, one of the two ends it. */
	idempotency_hand_over(g->idempotency, call->ticket, call->slot);
	r = post(call, text);
	if (r == 0) {
		call->state = CALL_SENT;
		call->needs_cancel = true;
		g->calls->sent_count++;
		list_remove(&call->link);
		list_append(&g->calls->buckets[call->token % CALL_BUCKETS], &call->link);
		drop_text(call);
		return 0;
	}
	idempotency_take_back(g->idempotency, call->ticket);
	release(call);
	if (r == -ETIMEDOUT)
		return -EAGAIN;
	if (r == -ENOMEM)
		return 1 + CALL_NO_MEMORY;
	return 1 + (r == -EMSGSIZE ? CALL_TOO_LARGE : CALL_NO_ROOM);
}
