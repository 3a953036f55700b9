/*
 * Requests with an idempotency key: the first of its key is made, later ones get its answer.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "gateway/answer.h"
#include "proto/envelope.h"

struct call;
struct gateway;
struct kept;

/* NULL without memory. */
struct kept *kept_new(void);
void kept_free(struct kept *kept);

/*
 * Looks for the request's key. True: it has none, or is the first (then to->ticket is set): the method is to be
 * run. False: it was answered, or will be when the first is.
 */
bool kept_begin(struct answer *to, const struct envelope *frame) must_check;

/*
 * The client of a call has gone: it runs on for its key, until end_ms (CLOCK_MONOTONIC). Without memory for that
 * it is cancelled.
 */
void kept_adopt(struct gateway *gateway, struct call *call, uint64_t ticket, uint64_t end_ms);

/* Answers those whose first call has ended, when `news` (providers_news) has moved. Each turn. */
void kept_turn(struct gateway *gateway, uint64_t news);

/* Ends what was adopted and has no time left (now_ms: CLOCK_MONOTONIC). */
void kept_tick(struct gateway *gateway, uint64_t now_ms);
