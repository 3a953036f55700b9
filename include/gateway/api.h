/*
 * /api/v1: methods and events over plain HTTP (PROTOCOL section 9).
 *
 *	POST /api/v1/rpc/METHOD		gateway/exchange
 *	POST /api/v1/events		the same, events.publish
 *	GET  /api/v1/events		gateway/stream
 */
#pragma once

#include <stdbool.h>

#include "base/span.h"
#include "proto/http.h"

struct connection;

/* Whether the path belongs to it. */
bool api_has(struct span path);

/* The methods of this path, which belongs to it, as Allow lists them; NULL: nothing is served there. */
const char *api_allow(struct span path);

/* Answers a request whose path belongs to it and whose method is not OPTIONS, or begins to. */
void api_request(struct connection *connection, const struct http_head *head);
