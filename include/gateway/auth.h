/*
 * Who is let in: the tokens, the password and the keys of one configuration, as one immutable object. A
 * reload makes a new one and swaps it for the old (gateway/admission.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/span.h"

struct auth;
struct conf;
struct identity;

/* What a try to be let in came to; also how it is counted in counters.authentications. */
enum auth_verdict {
	AUTH_TOKEN, /* let in, by what */
	AUTH_PASSWORD,
	AUTH_JWT,
	AUTH_LOCAL,
	AUTH_OPEN,
	AUTH_PROVIDER,	/* a provider knew it */
	AUTH_BAD_TOKEN, /* turned away; from here on */
	AUTH_BAD_PASSWORD,
	AUTH_BAD_JWT,
	AUTH_EXPIRED,
	AUTH_MISSING,	 /* no credentials came */
	AUTH_FOREIGN,	 /* authentication is off, and the peer is on another machine */
	AUTH_LOCKED_OUT, /* its address failed too often */
	AUTH_NO_MEMORY,
	AUTH_REFUSED,	 /* the provider that was asked turned it away */
	AUTH_NOT_LINKED, /* there is none that could be asked, or it has gone */
	AUTH_VERDICTS,
	AUTH_ASKED = AUTH_VERDICTS /* no verdict yet: it comes later */
};

/* Builds it from a configuration, which must outlive it. NULL without memory. */
struct auth *auth_new(const struct conf *conf) must_check;
void auth_free(struct auth *auth);

/* Whether the verdict lets in. */
bool auth_is_good(enum auth_verdict verdict);

/* The label: "token", "bad-token", …  Static. */
const char *auth_verdict_name(enum auth_verdict verdict);

/* One sentence for who was turned away, beginning "Authentication failed". Static. */
const char *auth_verdict_sentence(enum auth_verdict verdict);

/* Whether clients have to authenticate at all. */
bool auth_is_enabled(const struct auth *auth);

/*
 * Looks for the token: first among those of the table, all of which are compared, whatever it is; then,
 * if it has their shape, as a signed one. A verdict that lets in sets *ret, a reference of the caller's.
 */
enum auth_verdict auth_check_token(
    const struct auth *auth, struct span token, uint64_t now_ms, struct identity **ret) must_check;

/* The same for the password. */
enum auth_verdict auth_check_password(
    const struct auth *auth, struct span password, struct identity **ret) must_check;

/* The operator at run/gateway.sock. */
enum auth_verdict auth_check_local(const struct auth *auth, struct identity **ret) must_check;

/* A client without credentials, on this machine or another one. */
enum auth_verdict auth_check_nobody(
    const struct auth *auth, bool is_loopback, struct identity **ret) must_check;

/*
 * Whether who was let in by another object would be let in by this one, with the same scopes: then its
 * identity here, a reference of the caller's; else NULL.
 */
struct identity *auth_find_again(
    const struct auth *auth, struct identity *old, bool is_loopback, uint64_t now_ms) must_check;
