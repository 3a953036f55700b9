/*
 * What is remembered of one HTTP request that calls a method, from its head to its response: gateway/rpc
 * knows what to do with it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/span.h"
#include "proto/envelope.h"
#include "proto/httpbody.h"

struct exchange {
	unsigned after;	     /* enum respond_after: what may follow the response */
	bool is_reading;     /* the body */
	bool is_dispatching; /* the method is being called */
	bool is_answered;
	struct httpbody body;
	struct buf content; /* of the body; freed as soon as the method has seen it */
	struct envelope frame;
	struct span origin; /* gateway.allowed_origin while it is answered; a copy */
};

/* A new one, of a request without anything yet; NULL without memory. */
struct exchange *exchange_new(unsigned after, struct span origin) must_check;

/* Frees it; NULL is allowed. */
void exchange_free(struct exchange *exchange);
