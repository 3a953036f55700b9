/*
 * A client's request for a provider's method: a call whose sink is the client's pending request.
 */
#pragma once

#include "gateway/answer.h"
#include "proto/envelope.h"

struct gateway;

/* Whether a provider offers the method now. */
bool requests_has_method(struct gateway *gateway, struct span method);

/* As method.run: answers through `to`, exactly once, now or later. */
void requests_run(const struct answer *to, const struct envelope *frame);
