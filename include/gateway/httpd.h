/*
 * The HTTP stage of a connection (RFC 9112): heads in, endpoints answered, upgrades handed to WebSocket.
 */
#pragma once

#include "gateway/connection.h"

/* The handler with which every accepted connection begins. */
extern const struct connection_handler httpd_handler;

/*
 * Answers 503 to a connection that is one too many, without waiting for its request, and closes it.
 */
void httpd_refuse_full(struct connection *connection);
