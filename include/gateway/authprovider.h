/*
 * Credentials that are none of the gateway's own are put to a provider's method (gateway.auth_provider), with
 * {token?, password?, client, remote}; its result {name, scopes, expiresAtMs?} lets in, an error turns away.
 *
 * What it lets in until some time is remembered until then, by the digest of the credentials.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "gateway/auth.h"

struct authprovider;
struct connection;
struct gateway;
struct hello;
struct identity;

/*
 * The provider has answered, or has gone. The hello and, when the verdict lets in, a reference to the identity are
 * the callee's now; the connection is open. Never called from inside authprovider_ask.
 */
typedef void (*authprovider_done_fn)(struct connection *connection, struct hello *hello,
    enum auth_verdict verdict, struct identity *identity);

/* What is remembered: nothing yet. NULL without memory. */
struct authprovider *authprovider_new(void);
void authprovider_free(struct authprovider *authprovider);

/* Whether a provider is to be asked about credentials of which the gateway knows no more than this. */
bool authprovider_is_wanted(const struct gateway *gateway, enum auth_verdict verdict);

/*
 * Asks about the credentials of the hello. AUTH_ASKED: the connection is paused, the hello taken over, and `done`
 * is called later, unless the connection ends before. Else the verdict, and the hello stays the caller's:
 * AUTH_PROVIDER, remembered, with *ret, a reference of the caller's; or one that turns away.
 */
enum auth_verdict authprovider_ask(struct connection *connection, struct hello *hello,
    authprovider_done_fn done, struct identity **ret) must_check;

/* The connection ends: nobody waits for the answer about it any more. */
void authprovider_leave(struct connection *connection);
