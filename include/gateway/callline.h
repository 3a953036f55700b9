/*
 * Where calls wait for a seat; for src/gateway/call*.c alone.
 *
 * The places in gateway/routes are void when those are read again: so all that wait leave their lines before,
 * and look for a seat anew behind it, in their order.
 */
#pragma once

#include "base/macros.h"
#include "base/span.h"
#include "gateway/call.h"

/*
 * Looks for a seat and sends the call, or lets it wait. Returns 0, 1 + a call_failure, or -EAGAIN: to be tried
 * again, on calls.locked. A call that is not sent then needs its text.
 */
int callline_admit(struct call *call, struct span text) must_check;

/* A waiting call waits no more, as far as others can see; it is on no list then. */
void callline_leave(struct call *call);

/* Reads the directory if it has changed, and lets all that wait look for a seat anew. */
void callline_follow(struct gateway *gateway);

/* Acts on news of the directory, and uses seats that were granted. Each turn. */
void callline_turn(struct gateway *gateway, uint64_t news);
