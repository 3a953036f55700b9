/*
 * What is answered to GET over plain HTTP (PROTOCOL section 9).
 */
#pragma once

#include <stdbool.h>

#include "base/span.h"
#include "proto/http.h"

struct endpoint;
struct gateway;

struct endpoint_answer {
	int status;
	const char *type; /* Content-Type; static */
};

/* The endpoint of this path, or NULL. */
const struct endpoint *endpoint_find(struct span path);

/* Whether everybody may ask, and not only who was let in and may read. */
bool endpoint_is_public(const struct endpoint *endpoint, const struct gateway *gateway);

/* Writes the body into the gateway's empty text buffer; sets what differs from 200 and JSON. */
void endpoint_run(const struct endpoint *endpoint, struct gateway *gateway,
    const struct http_head *head, struct endpoint_answer *answer);
