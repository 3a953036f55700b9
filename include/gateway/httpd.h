/*
 * The HTTP stage of a connection (RFC 9112): heads in, endpoints answered, upgrades handed to WebSocket.
 */
#pragma once

#include "bus/visitors.h"
#include "gateway/connection.h"

/* The handler with which every accepted connection begins. */
extern const struct connection_handler httpd_handler;

/*
 * Answers 503 to a connection that is one too many, without waiting for its request, and closes it.
 */
void httpd_refuse_full(struct connection *connection);

/*
 * The same with 429, for one that is one too many of its address. When there are very many of them,
 * they are ended without an answer.
 */
void httpd_refuse_crowd(struct connection *connection, enum visitors_verdict verdict);
