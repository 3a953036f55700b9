/*
 * Whether the Host of a request names this gateway. A page whose name was pointed at this machine
 * (DNS rebinding) names itself.
 */
#pragma once

#include <stdbool.h>

#include "proto/http.h"

struct connection;

/* Where a request names no host, which HTTP/1.0 allows and no browser does, that is fine. */
bool host_is_ours(const struct connection *connection, const struct http_head *head);
