/*
 * The time at which the first token of a connection ends is kept in gateway.first_expiry_ms (0: none
 * does), so that the tick looks through all connections only when there is one to be found.
 */
#include "gateway/admission.h"

#include "base/clock.h"
#include "bus/counters.h"
#include "conf/scope.h"
#include "gateway/connection.h"
#include "gateway/connections.h"
#include "gateway/context.h"
#include "gateway/identity.h"
#include "gateway/visit.h"
#include "proto/bearer.h"
#include "proto/filter.h"
#include "sys/sockets.h"

static bool
is_loopback(const struct connection *c)
{
	return c->local || socket_peer_is_loopback(&c->peer);
}

/* Who guesses. What has expired was once good, and nothing at all is no guess. */
static bool
is_guess(enum auth_verdict verdict)
{
	return verdict == AUTH_BAD_TOKEN || verdict == AUTH_BAD_PASSWORD ||
	       verdict == AUTH_BAD_JWT || verdict == AUTH_REFUSED;
}

void
admission_count(struct connection *c, enum auth_verdict verdict)
{
	counters_add(&c->gateway->counters->authentications[verdict], 1);
	if (is_guess(verdict))
		visit_fail(c);
}

/* Whether credentials do not matter: the operator's do not, nor do any where nobody asks for them. */
static bool
is_beyond_credentials(const struct connection *c)
{
	return c->local || !auth_is_enabled(c->gateway->auth);
}

/* Who needs no credentials, or has none. */
static enum auth_verdict
check_without(const struct connection *c, struct identity **ret)
{
	if (c->local)
		return auth_check_local(c->gateway->auth, ret);
	return auth_check_nobody(c->gateway->auth, is_loopback(c), ret);
}

enum auth_verdict
admission_check_request(struct connection *c, const struct http_head *head, struct identity **ret)
{
	enum auth_verdict verdict = AUTH_MISSING;
	struct span token;

	if (is_beyond_credentials(c))
		return check_without(c, ret);
	if (visit_refused_ms(c) > 0)
		return AUTH_LOCKED_OUT;
	switch (bearer_find(head, &token)) {
	case BEARER_ABSENT:
		break;
	case BEARER_BAD:
		verdict = AUTH_BAD_TOKEN;
		break;
	case BEARER_TOKEN:
		verdict = auth_check_token(c->gateway->auth, token, clock_real_ms(), ret);
		secret_wipe(token.p, token.n);
		break;
	}
	return verdict;
}

static enum auth_verdict
check_credentials(
    struct connection *c, const struct hello_credentials *credentials, struct identity **ret)
{
	const struct auth *auth = c->gateway->auth;

	if (is_beyond_credentials(c))
		return check_without(c, ret);
	if (visit_refused_ms(c) > 0)
		return AUTH_LOCKED_OUT;
	if (credentials == NULL)
		return AUTH_MISSING;
	if (credentials->token.n > 0)
		return auth_check_token(auth, credentials->token, clock_real_ms(), ret);
	return auth_check_password(auth, credentials->password, ret);
}

enum auth_verdict
admission_check_hello(struct connection *c, struct hello *hello, authprovider_done_fn done)
{
	struct identity *identity = NULL;
	bool is_upgraded =
	    c->identity != NULL && (hello->credentials == NULL || is_beyond_credentials(c));
	enum auth_verdict verdict = AUTH_TOKEN;

	/* Who came in with the upgrade was judged and counted there. */
	if (!is_upgraded) {
		verdict = check_credentials(c, hello->credentials, &identity);
		if (authprovider_is_wanted(c->gateway, verdict))
			verdict = authprovider_ask(c, hello, done, &identity);
		if (verdict == AUTH_ASKED)
			return verdict;
		admission_count(c, verdict);
		if (auth_is_good(verdict))
			admission_enter_take(c, identity);
	}
	hello_forget_credentials(hello);
	return verdict;
}

static void
note_expiry(struct gateway *g, uint64_t end_ms)
{
	if (end_ms != 0 && (g->first_expiry_ms == 0 || end_ms < g->first_expiry_ms))
		g->first_expiry_ms = end_ms;
}

void
admission_settle_take(struct connection *c, enum auth_verdict verdict, struct identity *identity)
{
	admission_count(c, verdict);
	if (auth_is_good(verdict))
		admission_enter_take(c, identity);
}

void
admission_enter_take(struct connection *c, struct identity *identity)
{
	identity_unref(c->identity);
	c->identity = identity;
	note_expiry(c->gateway, identity->expires_ms);
}

void
admission_leave(struct connection *c)
{
	identity_unref(c->identity);
	c->identity = NULL;
}

void
admission_restrict(const struct connection *c, struct filter *filter)
{
	/* The hello asks for events, too, and is no method that a scope would be asked for. */
	if (!identity_has(c->identity, SCOPE_READ))
		filter_restrict(filter, FILTER_FORBIDS_ALL);
	else if (!identity_has(c->identity, SCOPE_ADMIN))
		filter_restrict(filter, FILTER_FORBIDS_ADMIN);
}

static bool
end_expired(struct connection *c, void *arg)
{
	uint64_t now_real_ms = *(const uint64_t *)arg;
	uint64_t end_ms = c->identity != NULL ? c->identity->expires_ms : 0;

	if (end_ms != 0 && end_ms <= now_real_ms)
		connection_close(c, LEDGER_TOKEN_EXPIRED, 1008,
		    "The token has expired; come back with a new one");
	else
		note_expiry(c->gateway, end_ms);
	return true;
}

void
admission_tick(struct gateway *g, uint64_t now_real_ms)
{
	if (g->first_expiry_ms == 0 || now_real_ms < g->first_expiry_ms)
		return;
	g->first_expiry_ms = 0;
	connections_visit(g, end_expired, &now_real_ms);
}

/* True: it may stay. */
static bool
find_again(struct connection *c, uint64_t now_ms)
{
	struct identity *identity =
	    auth_find_again(c->gateway->auth, c->identity, is_loopback(c), now_ms);

	if (identity == NULL)
		return false;
	admission_enter_take(c, identity);
	return true;
}

struct swap {
	uint64_t now_ms;
	unsigned ended;
};

static bool
end_unknown(struct connection *c, void *arg)
{
	struct swap *swap = arg;

	if (c->identity == NULL || find_again(c, swap->now_ms))
		return true;
	connection_close(c, LEDGER_TOKEN_REVOKED, 1008,
	    "The token was taken away, or allows something else now");
	swap->ended++;
	return true;
}

unsigned
admission_swap_take(struct gateway *g, struct auth *auth)
{
	struct swap swap = { .now_ms = clock_real_ms() };

	auth_free(g->auth);
	g->auth = auth;
	g->first_expiry_ms = 0;
	connections_visit(g, end_unknown, &swap);
	return swap.ended;
}
