/*
 * The WebSocket stage of a connection (RFC 6455): control frames, the close handshake, keep-alive, and
 * one call for each whole message.  What the messages mean is c->on_message's business.
 */
#pragma once

#include "gateway/connection.h"

/*
 * Makes the connection a WebSocket whose messages go to on_message.  Called once, when the upgrade was
 * answered.
 */
void wsock_start(struct connection *connection,
    void (*on_message)(struct connection *connection, struct span text, bool binary));

/* Starts the keep-alive: from now on silence is answered by a ping and then by the end. */
void wsock_keep_alive(struct connection *connection);

/* on_message of /echo: sends the message back as it came. */
void wsock_echo(struct connection *connection, struct span text, bool binary);
