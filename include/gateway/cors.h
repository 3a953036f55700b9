/*
 * Pages of other sites: which may ask at all, and what their browsers are told (Fetch standard, section
 * 3.2).  There is one list, gateway.allowed_origins.
 */
#pragma once

#include <stdbool.h>

#include "proto/http.h"

struct connection;

/*
 * Whether the request comes from no page, one of the gateway's own, or one of a site that is listed; then
 * gateway.allowed_origin says so until the request was handled.
 */
bool cors_is_allowed(struct connection *connection, const struct http_head *head);

/*
 * Answers OPTIONS: a preflight, of which browsers send no credentials, or what else it may be.  `allow` names
 * the methods of this path.
 */
void cors_respond_options(
    struct connection *connection, const struct http_head *head, const char *allow);
