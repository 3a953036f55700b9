/*
 * Who waits for an answer sits on whatever worker: all are told, since answers that somebody waits for are rare.
 */
#include "gateway/keep.h"

#include "base/clock.h"
#include "bus/bell.h"
#include "bus/providers.h"
#include "gateway/context.h"
#include "proto/reply.h"

static void
tell(struct gateway *g, bool is_awaited)
{
	if (!is_awaited)
		return;
	providers_tell_all(g->providers);
	bell_ring_all(g->segment);
}

static void
finish(struct gateway *g, idempotency_ticket ticket, unsigned kind, struct span answer)
{
	if (ticket != 0)
		tell(g, idempotency_finish(g->idempotency, ticket, kind, answer, clock_mono_ms()));
}

void
keep_result(struct gateway *g, idempotency_ticket ticket, struct span result)
{
	finish(g, ticket, KEEP_RESULT, result);
}

void
keep_error(struct gateway *g, idempotency_ticket ticket, enum error_code code, struct span error)
{
	finish(g, ticket, 1 + (unsigned)code, error);
}

void
keep_nothing(struct gateway *g, idempotency_ticket ticket)
{
	if (ticket != 0)
		tell(g, idempotency_forget(g->idempotency, ticket));
}

void
keep_failure(struct gateway *g, idempotency_ticket ticket, const struct reply_error *error)
{
	bool is_ours = error->code == ERROR_UNAVAILABLE || error->code == ERROR_AGENT_TIMEOUT ||
		       error->code == ERROR_INTERNAL_ERROR;
	struct buf text = { 0 };
	struct jsonw w;

	if (ticket == 0)
		return;
	if (is_ours && !idempotency_is_handed_over(g->idempotency, ticket)) {
		keep_nothing(g, ticket);
		return;
	}
	jsonw_init(&w, &text);
	reply_error_shape(&w, error);
	if (buf_status(&text) == 0)
		keep_error(g, ticket, error->code, buf_span(&text));
	else
		keep_nothing(g, ticket);
	buf_fini(&text);
}
