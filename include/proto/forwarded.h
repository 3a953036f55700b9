/*
 * X-Forwarded-For: which client a proxy speaks for. Anybody can write that field, so it is asked for
 * only when the peer itself is a proxy that is trusted.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/ip.h"
#include "base/macros.h"
#include "proto/http.h"

enum forwarded_verdict {
	FORWARDED_NONE,	  /* the proxy speaks for itself */
	FORWARDED_CLIENT, /* for the client of this address */
	FORWARDED_BAD,	  /* for somebody whose address cannot be read */
};

/* Whether the address is one of the networks; an entry that is none matches nothing. */
bool forwarded_is_trusted(const struct ip *ip, const char *const *trusted, size_t count);

/*
 * The nearest address, seen from here, that is not a trusted proxy's itself: what stands left of it
 * was written by others. Where all are trusted, the farthest.
 */
enum forwarded_verdict forwarded_find(const struct http_head *head, const char *const *trusted,
    size_t count, struct ip *ret) must_check;
