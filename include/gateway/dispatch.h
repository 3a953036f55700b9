/*
 * Frames after hello-ok: requests to their methods, cancels to what they cancel, the rest refused.
 */
#pragma once

#include "gateway/connection.h"

/* on_message of a connection that has said hello. */
void dispatch_message(struct connection *connection, struct span text, bool binary);
