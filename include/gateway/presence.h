/*
 * Who is here: the gauge of WebSocket clients, and the events gateway.connected and
 * gateway.disconnected, which are published only while somebody subscribes to them.
 *
 * Clients of the control socket are the operator's own tools: they are neither counted nor announced.
 */
#pragma once

#include "gateway/connection.h"

struct jsonw;

/* A WebSocket was opened (echo included): counts it. */
void presence_count(struct connection *connection);

/* The hello was accepted: tells the subscribers. */
void presence_enter(struct connection *connection);

/* The connection ends: uncounts it, and tells the subscribers if it had said hello. */
void presence_leave(struct connection *connection);

/* Writes the object that tells who a client is: {id, displayName?, version, platform, mode}. */
void presence_write_client(const struct connection *connection, struct jsonw *out);
