/*
 * Who a connection is, once it was let in: what it may do, under which name, and until when. Immutable
 * but for the count of those who hold it; connections with the same token share one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/span.h"
#include "conf/secret.h"

enum identity_kind {
	IDENTITY_LOCAL, /* came over run/gateway.sock */
	IDENTITY_OPEN,	/* authentication is off */
	IDENTITY_TOKEN,
	IDENTITY_PASSWORD,
	IDENTITY_JWT,
	IDENTITY_PROVIDER, /* gateway/authprovider */
};

struct identity {
	unsigned refs;
	unsigned scopes; /* SCOPE_... of conf/scope.h */
	enum identity_kind kind;
	uint64_t expires_ms; /* since 1970 UTC; 0: never */
	/* of the token or password; of a signed token: of the key that it was checked by */
	uint8_t digest[SECRET_DIGEST_BYTES];
	char **events; /* events_count patterns that it may publish; NULL: any */
	size_t events_count;
	char *name;
};

/* A new one, of copies, with one reference; the digest is zero. NULL without memory. */
struct identity *identity_new(
    enum identity_kind kind, struct span name, unsigned scopes, uint64_t expires_ms) must_check;

/* Adds a pattern, before it is shared. 0 or -ENOMEM. */
int identity_add_event(struct identity *identity, struct span pattern) must_check;

/* One more holds it; returns it. */
struct identity *identity_ref(struct identity *identity);

/* One less holds it; NULL is allowed. */
void identity_unref(struct identity *identity);

/* Whether it has this scope, a single bit. Nobody, NULL, has none. */
bool identity_has(const struct identity *identity, unsigned scope);

/* Whether it may publish an event of this name; what write allows is asked for elsewhere. */
bool identity_may_publish(const struct identity *identity, struct span event);
