/*
 * Keeping the answers of calls that came with an idempotency key: what is written for those who ask again.
 */
#pragma once

#include <stdint.h>

#include "base/span.h"
#include "bus/idempotency.h"
#include "proto/errors.h"

struct gateway;
struct reply_error;

enum { KEEP_RESULT = 0 }; /* kinds of answers: this, or 1 + enum error_code */

/* Keeps a result (JSON text) or an error (the text of an ErrorShape). The first one of a ticket stands; 0 is none. */
void keep_result(struct gateway *gateway, idempotency_ticket ticket, struct span result);
void keep_error(
    struct gateway *gateway, idempotency_ticket ticket, enum error_code code, struct span error);

/*
 * The same for an error of the gateway's own. Where it says that the call did not happen, which is so when it was
 * not handed to a provider and the code is not the client's fault, the call is forgotten, and may be made again.
 */
void keep_failure(
    struct gateway *gateway, idempotency_ticket ticket, const struct reply_error *error);

/* The call did not happen, or nobody will ever know. */
void keep_nothing(struct gateway *gateway, idempotency_ticket ticket);
