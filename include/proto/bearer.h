/*
 * The token of an HTTP request (RFC 6750 section 2.1): `Authorization: Bearer TOKEN`. One in the URL
 * or in the body is none.
 */
#pragma once

#include "base/span.h"
#include "proto/http.h"

enum bearer_verdict {
	BEARER_ABSENT,
	BEARER_TOKEN,
	BEARER_BAD, /* more than one field, another scheme, or no token behind it */
};

/* Looks for it. Only BEARER_TOKEN sets *ret, which points into the request. */
enum bearer_verdict bearer_find(const struct http_head *head, struct span *ret);
