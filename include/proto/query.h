/*
 * The query of a request target as forms and browsers write it: name=value pairs between '&', '+' for a
 * space (WHATWG URL, application/x-www-form-urlencoded).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/span.h"

/* Both as they were written, still encoded. */
struct query_pair {
	struct span name, value; /* value: empty without '=' */
};

/* Takes the next pair off the query; empty ones are passed over.  False when there is none left. */
bool query_next(struct span *query, struct query_pair *ret);

/*
 * Decodes %XX once, and '+' as a space.  out has room for cap bytes and is not terminated.  Returns 0 and
 * the length; -EINVAL for a '%' without two hexadecimal digits and for %00; -ENOSPC when it does not fit.
 */
int query_decode(struct span text, char *out, size_t cap, size_t *ret_len) must_check;
