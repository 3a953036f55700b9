/*
 * Calls: requests to providers, as the worker of whoever asks sees them.
 *
 *	calls_start ──seat free──▶ SENT ──answer, or the provider is gone──▶ the sink is told, over
 *	      └──none free──▶ WAITING ──seat granted──▶ SENT
 *	call_cancel: over at once; the provider gets its cancel as soon as there is room
 *
 * Who asked is a sink and its owner: a WebSocket's request (gateway/requests), or whatever else asks. The sink
 * is told exactly one of on_result, on_error and on_failure, never from inside calls_start, and nothing after
 * call_cancel.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/span.h"
#include "gateway/callsink.h"

struct call;
struct calls;
struct gateway;
struct mail;

/* NULL without memory. */
struct calls *calls_new(void);
void calls_free(struct calls *calls);

/*
 * Whether a provider has the method now: what another worker has answered a registration with counts from then on,
 * whether this worker has heard of it or not.
 */
bool calls_have_method(struct gateway *gateway, struct span method);

/*
 * Begins a call. Returns 0 and the call, which lives until the sink is told its end or call_cancel; or 1 + the
 * enum call_failure that stands in its way: then the sink is told nothing.
 */
int calls_start(struct gateway *gateway, const struct call_request *request,
    const struct call_sink *sink, void *owner, struct call **ret) must_check;

/* From now on somebody else waits for it. */
void call_hand_to(struct call *call, const struct call_sink *sink, void *owner);

/* Whoever asked does not wait any more. */
void call_cancel(struct call *call);

/* Mail of the kinds MAIL_PROGRESS, MAIL_RESULT, MAIL_ERROR and MAIL_GONE. */
void calls_mail(struct gateway *gateway, const struct mail *mail);

/* Acts on news of the directory, uses seats that were granted, tries again what could not be done. Each turn: news is
 * providers_news. */
void calls_turn(struct gateway *gateway, uint64_t news);

/* Ends the calls whose provider's worker has died. Some times a second, and after news. */
void calls_look(struct gateway *gateway);
