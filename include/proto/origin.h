/*
 * The Origin rule (RFC 6455 section 10.2, RFC 6454): which web pages may talk to the gateway. A
 * browser sends the page's origin with each WebSocket handshake and does not hold pages of other
 * sites back; so the server must.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

enum origin_verdict {
	ORIGIN_OWN,	/* the host and port that the request itself was sent to */
	ORIGIN_LISTED,	/* one of the allowed ones */
	ORIGIN_REFUSED, /* neither, or "null", or not one well-formed origin: answer 403 */
};

/*
 * Compares the value of an Origin field with the Host that the request named and with the allowed
 * origins ("scheme://host[:port]"). Parsed, not as text: scheme and host without regard to case,
 * an absent port is the scheme's (80 for http and ws, 443 for https and wss). tls says whether
 * this connection is encrypted, and so which scheme the own origin has. An entry of allowed that
 * is no origin matches nothing. Call it only for requests that carry the field, and refuse those
 * that carry it twice.
 */
enum origin_verdict origin_check(struct span origin, struct span host_header,
    const char *const *allowed, size_t allowed_count, bool tls);
