/*
 * Server-Sent Events: GET /api/v1/events (PROTOCOL section 9).
 */
#pragma once

#include "proto/http.h"

struct connection;

/*
 * Answers with the stream of events, as of the query and Last-Event-ID, and makes the connection one that gets
 * them; or refuses.  The connection->identity may read.
 */
void stream_begin(struct connection *connection, const struct http_head *head);
