/*
 * Frames after hello-ok: requests to their methods, cancels to what they cancel, the rest refused.
 */
#pragma once

#include "gateway/connection.h"

struct answer;
struct envelope;

/* on_message of a connection that has said hello. */
void dispatch_message(struct connection *connection, struct span text, bool binary);

/*
 * Takes a request, however it came: to->connection->identity is who asks, to->id names it among those of
 * the connection, and `frame` says what is asked; of it method, params, session_key, timeout_ms and
 * idempotency_key count.  It is answered through `to` once, at once or later.  `frame` and `to` are gone when
 * this returns; sets to->method.
 */
void dispatch_request(struct answer *to, const struct envelope *frame);
