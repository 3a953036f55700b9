/*
 * How often clients may do what costs, and how often each limit was met.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct gateway;

/* The limits that are counted; also how counters.limits is numbered. */
enum limit {
	LIMIT_AUTH_FAILURES, /* an address is refused from now on */
	LIMIT_CONNECTIONS_PER_IP,
	LIMIT_HANDSHAKES_PER_IP,
	LIMIT_HEADER, /* bytes or lines of a request's head */
	LIMIT_HELLO,  /* bytes before hello-ok */
	LIMIT_REQUESTS,
	LIMIT_PUBLISHED_BYTES,
	LIMIT_PINGS,
	LIMIT_MESSAGE_TIME,
	LIMIT_ADDRESSES, /* of which anything can be known at a time: the limits of one were missed */
	LIMIT_COUNT
};

/* The label: "auth_failures", …  Static. */
const char *limit_name(enum limit limit);

/* Counts that a client met the limit. */
void limits_count(const struct gateway *gateway, enum limit limit);

/*
 * A token bucket that holds what a second allows: when it will be full again, on CLOCK_MONOTONIC.
 * Zero-initialised: full.
 */
struct limits_bucket {
	uint64_t full_at_ns;
};

/*
 * Takes `amount` out of it, if anything is in it: then it may owe some. `per_s` is what comes back in a
 * second; 0: there is no limit. Returns 0, or in how many ms there will be something, at least 1.
 */
uint32_t limits_take(
    struct limits_bucket *bucket, uint64_t per_s, uint64_t amount, uint64_t now_ns);
