/*
 * Two lists: requests that wait for the first of their key, on whichever worker that is; and calls of this worker
 * whose clients have gone.
 */
#include "gateway/kept.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "bus/idempotency.h"
#include "gateway/calls.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/identity.h"
#include "gateway/keep.h"
#include "gateway/pending.h"
#include "proto/hello.h"
#include "proto/reply.h"

struct kept {
	struct list waiters;
	struct list adopted;
	uint64_t news;
	bool again; /* the lock was not to be had: look in the next turn, whatever the news */
	struct buf answer;
};

struct waiter {
	struct list link;
	struct pending *pending;
	idempotency_ticket ticket;
};

struct adopted {
	struct list link;
	struct gateway *gateway;
	struct call *call;
	idempotency_ticket ticket;
	uint64_t end_ms;
};

struct kept *
kept_new(void)
{
	struct kept *kept = mem_zalloc(sizeof(*kept));

	if (kept == NULL)
		return NULL;
	list_init(&kept->waiters);
	list_init(&kept->adopted);
	return kept;
}

void
kept_free(struct kept *kept)
{
	struct list *first;

	if (kept == NULL)
		return;
	while ((first = list_first(&kept->adopted)) != NULL) {
		list_remove(first);
		mem_free(container_of(first, struct adopted, link));
	}
	buf_fini(&kept->answer);
	mem_free(kept);
}

/* --- later requests of a key ------------------------------------------------------------------ */

/* Answers as the first was answered. */
static void
answer_as_first(const struct answer *to, enum idempotency_verdict verdict, unsigned kind)
{
	struct span text = buf_span(&to->connection->gateway->kept->answer);

	if (verdict == IDEMPOTENCY_NOT_KEPT)
		answer_fail(to, ERROR_UNAVAILABLE, "result-not-kept", NULL,
		    "The first answer of this idempotencyKey was longer than %d bytes, which are "
		    "not "
		    "kept",
		    IDEMPOTENCY_ANSWER_MAX);
	else if (verdict == IDEMPOTENCY_NO_MEMORY)
		answer_no_memory(to);
	else if (verdict != IDEMPOTENCY_ANSWER)
		answer_fail(to, ERROR_UNAVAILABLE, "provider-gone", NULL,
		    "The first request of this idempotencyKey came to nothing; ask again");
	else if (kind == KEEP_RESULT)
		answer_result(to, text);
	else
		answer_error(to, (enum error_code)(kind - 1), text);
}

static void
on_waiter_gone(struct pending *pending)
{
	struct waiter *waiter = pending->owner;

	list_remove(&waiter->link);
	mem_free(waiter);
}

static void
wait_for_first(const struct answer *to, uint32_t timeout_ms, idempotency_ticket ticket)
{
	struct kept *kept = to->connection->gateway->kept;
	struct waiter *waiter = mem_zalloc(sizeof(*waiter));

	if (waiter != NULL)
		waiter->pending = pending_new(to, timeout_ms, on_waiter_gone, waiter);
	if (waiter == NULL || waiter->pending == NULL) {
		mem_free(waiter);
		answer_no_memory(to);
		return;
	}
	waiter->ticket = ticket;
	list_init(&waiter->link);
	list_append(&kept->waiters, &waiter->link);
}

/* Caller, method and key, with lengths that keep them apart. */
static void
write_identity(const struct connection *c, const struct envelope *frame, struct buf *out)
{
	const struct identity *identity = c->identity;
	bool has_name =
	    identity != NULL && identity->kind != IDENTITY_OPEN && identity->kind != IDENTITY_LOCAL;
	struct span name = has_name	      ? span_cstr(identity->name)
			   : c->hello != NULL ? c->hello->client.id
					      : SPAN("");

	buf_reset(out);
	buf_printf(out, "%c%zu %zu ", has_name ? 't' : 'c', name.n, frame->method.n);
	buf_append_span(out, name);
	buf_append_span(out, frame->method);
	buf_append_span(out, frame->idempotency_key);
}

static bool
act_on(struct answer *to, const struct envelope *frame, enum idempotency_verdict verdict,
    idempotency_ticket ticket, unsigned kind)
{
	switch (verdict) {
	case IDEMPOTENCY_FIRST:
		to->ticket = ticket;
		return true;
	case IDEMPOTENCY_RUNNING:
		wait_for_first(to, frame->timeout_ms, ticket);
		break;
	case IDEMPOTENCY_MISMATCH:
		answer_fail(to, ERROR_INVALID_REQUEST, "idempotency-mismatch", "idempotencyKey",
		    "This idempotencyKey came with other params before; a new request needs a new "
		    "one");
		break;
	case IDEMPOTENCY_FULL:
	case IDEMPOTENCY_LOCKED:
		answer_fail(to, ERROR_UNAVAILABLE, "overloaded", NULL,
		    "Too many requests with idempotency keys are under way; ask again later");
		break;
	case IDEMPOTENCY_ANSWER:
	case IDEMPOTENCY_NOT_KEPT:
	case IDEMPOTENCY_GONE:
	case IDEMPOTENCY_NO_MEMORY:
		answer_as_first(to, verdict, kind);
		break;
	}
	return false;
}

bool
kept_begin(struct answer *to, const struct envelope *frame)
{
	struct connection *c = to->connection;
	struct gateway *g = c->gateway;
	struct idempotency_call call = {
		.params = frame->params.text,
		.slot = g->slot,
		.now_ms = clock_mono_ms(),
		.timeout_ms = frame->timeout_ms,
	};
	enum idempotency_verdict verdict;
	idempotency_ticket ticket = 0;
	unsigned kind = KEEP_RESULT;

	if (frame->idempotency_key.n == 0)
		return true;
	write_identity(c, frame, &g->text);
	if (buf_status(&g->text) != 0) {
		answer_no_memory(to);
		return false;
	}
	call.identity = buf_span(&g->text);
	verdict = idempotency_begin(g->idempotency, &call, &ticket, &kind, &g->kept->answer);
	return act_on(to, frame, verdict, ticket, kind);
}

/* Answers the waiter if it can be; false when it waits on. */
static bool
look(struct gateway *g, struct waiter *waiter)
{
	struct pending *pending = waiter->pending;
	unsigned kind = KEEP_RESULT;
	enum idempotency_verdict verdict =
	    idempotency_look(g->idempotency, waiter->ticket, &kind, &g->kept->answer);

	if (verdict == IDEMPOTENCY_RUNNING || verdict == IDEMPOTENCY_LOCKED) {
		g->kept->again |= verdict == IDEMPOTENCY_LOCKED;
		return false;
	}
	list_remove(&waiter->link);
	mem_free(waiter);
	pending_detach(pending);
	answer_as_first(&pending->answer, verdict, kind);
	pending_free(pending);
	return true;
}

void
kept_turn(struct gateway *g, uint64_t news)
{
	struct kept *kept = g->kept;
	struct list waiting, *first;

	if (list_is_empty(&kept->waiters) || (news == kept->news && !kept->again))
		return;
	kept->news = news;
	kept->again = false;
	list_init(&waiting);
	/* An answer can end its connection and others of these: they leave the list by themselves. */
	while ((first = list_first(&kept->waiters)) != NULL) {
		struct waiter *waiter = container_of(first, struct waiter, link);

		if (look(g, waiter))
			continue;
		list_remove(first);
		list_append(&waiting, first);
	}
	while ((first = list_first(&waiting)) != NULL) {
		list_remove(first);
		list_append(&kept->waiters, first);
	}
	buf_rest(&kept->answer, IDEMPOTENCY_ANSWER_MAX);
}

/* --- calls whose clients have gone ------------------------------------------------------------ */

static void
adopted_free(struct adopted *adopted)
{
	list_remove(&adopted->link);
	mem_free(adopted);
}

static void
keep_what_failed(
    struct adopted *adopted, enum error_code code, const char *reason, const char *sentence)
{
	struct reply_error error = { .code = code, .reason = reason };

	reply_error_say(&error, "%s", sentence);
	keep_failure(adopted->gateway, adopted->ticket, &error);
	adopted_free(adopted);
}

/* What the provider said was kept by its worker, before it was told here. */
static void
on_result(void *owner, struct span result)
{
	(void)result;
	adopted_free(owner);
}

static void
on_error(void *owner, enum error_code code, struct span error)
{
	(void)code;
	(void)error;
	adopted_free(owner);
}

static void
on_failure(void *owner, enum call_failure failure)
{
	keep_what_failed(owner, call_failure_code(failure), call_failure_reason(failure),
	    call_failure_sentence(failure));
}

static void
on_progress(void *owner, struct span payload)
{
	(void)owner;
	(void)payload;
}

static const struct call_sink sink = { on_result, on_error, on_failure, on_progress };

void
kept_adopt(struct gateway *g, struct call *call, uint64_t ticket, uint64_t end_ms)
{
	struct adopted *adopted = mem_zalloc(sizeof(*adopted));

	if (adopted == NULL) {
		call_cancel(call);
		keep_nothing(g, ticket);
		return;
	}
	*adopted =
	    (struct adopted){ .gateway = g, .call = call, .ticket = ticket, .end_ms = end_ms };
	list_init(&adopted->link);
	list_append(&g->kept->adopted, &adopted->link);
	call_hand_to(call, &sink, adopted);
}

void
kept_tick(struct gateway *g, uint64_t now_ms)
{
	struct list *at, *tmp;

	LIST_FOREACH_SAFE (at, tmp, &g->kept->adopted) {
		struct adopted *adopted = container_of(at, struct adopted, link);

		if (adopted->end_ms > now_ms)
			continue;
		call_cancel(adopted->call);
		keep_what_failed(adopted, ERROR_AGENT_TIMEOUT, "timeout",
		    "No answer within timeoutMs; ask again with a longer one");
	}
}
