/*
 * Signed tokens (RFC 7519 in the compact form of RFC 7515), checked by keys that the gateway has, never
 * by anything that the token says. Two algorithms, each with a key of its own kind: HS256 (RFC 7518
 * section 3.2) and EdDSA with Ed25519 (RFC 8037). So `none`, and a public key taken for a secret, are
 * no cases.
 *
 *	header     alg, and typ "JWT" or none; crit is refused
 *	claims     sub, exp; nbf, aud, scopes
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/span.h"

enum {
	JWT_MAX = 4096, /* bytes of a token */
	JWT_SUBJECT_MAX = 128,
	JWT_SCOPES_MAX = 32,
	JWT_NBF_LEEWAY_MS = 30000, /* clocks of two machines differ */
	JWT_PUBLIC_KEY_BYTES = 32,
};

/* Empty where there is no such key; the bytes are the caller's. */
struct jwt_keys {
	struct span secret;	/* HS256 */
	struct span public_key; /* EdDSA: JWT_PUBLIC_KEY_BYTES */
	struct span audience;	/* what aud must name; empty: no token that has aud is for us */
};

enum jwt_verdict {
	JWT_GOOD,
	JWT_MALFORMED, /* no token that could be understood */
	JWT_WRONG_KEY, /* no key for its alg */
	JWT_BAD_SIGNATURE,
	JWT_BAD_CLAIMS, /* signed, but it lacks a claim, or one has the wrong form */
	JWT_EXPIRED,
	JWT_TOO_EARLY, /* nbf */
	JWT_WRONG_AUDIENCE,
	JWT_NO_MEMORY,
};

enum jwt_algorithm { JWT_HS256, JWT_EDDSA };

struct jwt {
	enum jwt_algorithm algorithm;
	char subject[JWT_SUBJECT_MAX + 1];
	uint64_t expires_ms;
	unsigned scopes_count;
	char scopes[JWT_SCOPES_MAX][16]; /* names; those that are longer are left out */
};

/* Whether it has the shape of one: three parts with dots between. */
bool jwt_is_likely(struct span token);

/* Checks all of it, the signature first. Only JWT_GOOD fills *ret. */
enum jwt_verdict jwt_check(
    struct span token, const struct jwt_keys *keys, uint64_t now_ms, struct jwt *ret) must_check;

/* "expired", "bad-signature", …: for logs and labels. Static. */
const char *jwt_verdict_name(enum jwt_verdict verdict);
