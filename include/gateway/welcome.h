/*
 * The hello: the first message of every WebSocket that speaks the protocol (PROTOCOL section 3).
 */
#pragma once

#include "gateway/connection.h"

/*
 * on_message until hello-ok: reads the hello, answers it, and hands the connection over to
 * dispatch_message; or refuses it and closes with 1008.
 */
void welcome_message(struct connection *connection, struct span text, bool binary);
