/*
 * What is presented is digested, and the digest compared with every one there is: the time that takes
 * says nothing of which of them it equals, or how nearly.
 */
#include "gateway/auth.h"

#include <assert.h>
#include <errno.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "bus/counters.h"
#include "conf/conf.h"
#include "conf/scope.h"
#include "gateway/identity.h"
#include "proto/jwt.h"

struct auth {
	bool is_enabled, is_open_to_all;
	struct identity **tokens;
	size_t tokens_count;
	struct identity *password; /* NULL: there is none */
	struct identity *local, *open;
	struct jwt_keys keys;
	bool has_provider;			     /* that may know what is not known here */
	uint8_t key_digests[2][SECRET_DIGEST_BYTES]; /* by enum jwt_algorithm */
};

static_assert((int)AUTH_VERDICTS <= (int)COUNTERS_AUTHENTICATIONS, "each verdict has a counter");

/* --- life ------------------------------------------------------------------------------------- */

static struct identity *
identity_of(const struct conf_token *token)
{
	struct identity *identity =
	    identity_new(IDENTITY_TOKEN, span_cstr(token->name), token->scopes, token->expires_ms);

	if (identity == NULL)
		return NULL;
	memcpy(identity->digest, token->digest, sizeof(identity->digest));
	for (size_t i = 0; i < token->events_count; i++) {
		if (identity_add_event(identity, span_cstr(token->events[i])) < 0) {
			identity_unref(identity);
			return NULL;
		}
	}
	return identity;
}

static bool
add_tokens(struct auth *auth, const struct conf_tokens *tokens)
{
	for (size_t i = 0; i < tokens->count; i++) {
		struct identity *identity = identity_of(&tokens->list[i]);

		if (identity == NULL)
			return false;
		auth->tokens[auth->tokens_count++] = identity;
	}
	return true;
}

static bool
set_password(struct auth *auth, const struct conf_secret *password)
{
	if (!password->is_set)
		return true;
	auth->password = identity_new(IDENTITY_PASSWORD, SPAN("password"), SCOPE_ALL, 0);
	if (auth->password == NULL)
		return false;
	memcpy(auth->password->digest, password->digest, sizeof(auth->password->digest));
	return true;
}

/* The audience belongs to the key: a token for another one is not good any more. */
static bool
digest_key(struct span key, struct span audience, uint8_t ret[SECRET_DIGEST_BYTES])
{
	struct buf text = { 0 };
	bool is_done = false;

	if (buf_reserve(&text, key.n + audience.n + 1)) {
		buf_append_span(&text, key);
		buf_append_byte(&text, '\0');
		buf_append_span(&text, audience);
		is_done = secret_digest(buf_span(&text), ret) == 0;
	}
	secret_wipe_buf(&text);
	return is_done;
}

static bool
set_keys(struct auth *auth, const struct conf *conf)
{
	struct span audience = span_cstr(conf->gateway.auth_jwt_audience);

	auth->keys = (struct jwt_keys){
		.secret = span_make((const char *)conf->jwt_secret.bytes, conf->jwt_secret.n),
		.public_key =
		    span_make((const char *)conf->jwt_public_key.bytes, conf->jwt_public_key.n),
		.audience = audience,
	};
	return digest_key(auth->keys.secret, audience, auth->key_digests[JWT_HS256]) &&
	       digest_key(auth->keys.public_key, audience, auth->key_digests[JWT_EDDSA]);
}

static bool
fill(struct auth *auth, const struct conf *conf)
{
	const struct conf_gateway *c = &conf->gateway;

	auth->is_enabled = c->auth_enabled;
	auth->is_open_to_all = c->allow_unauthenticated;
	auth->has_provider = c->auth_provider != NULL && c->auth_provider[0] != '\0';
	auth->local = identity_new(IDENTITY_LOCAL, SPAN("local"), SCOPE_ALL, 0);
	auth->open = identity_new(IDENTITY_OPEN, SPAN("anybody"), SCOPE_ALL, 0);
	auth->tokens =
	    mem_array(c->auth_tokens.count + conf->file_tokens.count, sizeof(struct identity *));
	return auth->local != NULL && auth->open != NULL && auth->tokens != NULL &&
	       add_tokens(auth, &c->auth_tokens) && add_tokens(auth, &conf->file_tokens) &&
	       set_password(auth, &c->auth_password) && set_keys(auth, conf);
}

struct auth *
auth_new(const struct conf *conf)
{
	struct auth *auth = mem_zalloc(sizeof(*auth));

	if (auth == NULL)
		return NULL;
	if (!fill(auth, conf)) {
		auth_free(auth);
		return NULL;
	}
	return auth;
}

void
auth_free(struct auth *auth)
{
	if (auth == NULL)
		return;
	for (size_t i = 0; i < auth->tokens_count; i++)
		identity_unref(auth->tokens[i]);
	mem_free(auth->tokens);
	identity_unref(auth->password);
	identity_unref(auth->local);
	identity_unref(auth->open);
	mem_free(auth);
}

/* --- verdicts --------------------------------------------------------------------------------- */

static const struct {
	const char *name, *sentence;
} verdicts[AUTH_VERDICTS] = {
	[AUTH_TOKEN] = { "token", "" },
	[AUTH_PASSWORD] = { "password", "" },
	[AUTH_JWT] = { "jwt", "" },
	[AUTH_LOCAL] = { "local", "" },
	[AUTH_OPEN] = { "open", "" },
	[AUTH_PROVIDER] = { "provider", "" },
	[AUTH_BAD_TOKEN] = { "bad-token",
	    "Authentication failed: the token is not known here; check it" },
	[AUTH_BAD_PASSWORD] = { "bad-password",
	    "Authentication failed: the password is not the right one; check it" },
	[AUTH_BAD_JWT] = { "bad-jwt",
	    "Authentication failed: the signed token is not valid here; get a new one" },
	[AUTH_EXPIRED] = { "expired",
	    "Authentication failed: the token has expired; get a new one" },
	[AUTH_MISSING] = { "missing",
	    "Authentication failed: a token is needed; send it as auth.token of the hello, or as "
	    "Authorization: Bearer TOKEN" },
	[AUTH_FOREIGN] = { "foreign",
	    "Authentication failed: without authentication only this machine is served; set "
	    "gateway.auth_enabled and a token, or start with --allow-unauthenticated" },
	[AUTH_LOCKED_OUT] = { "locked-out",
	    "Authentication failed: too many failures came from this address; try again later" },
	[AUTH_REFUSED] = { "refused",
	    "Authentication failed: the provider that authenticates clients refused it" },
	[AUTH_NOT_LINKED] = { "not-linked",
	    "Authentication is left to a provider, and none is connected; try again later" },
	[AUTH_NO_MEMORY] = { "no-memory",
	    "Authentication failed: the gateway is out of memory; try again later" },
};

bool
auth_is_good(enum auth_verdict verdict)
{
	return verdict < AUTH_BAD_TOKEN;
}

const char *
auth_verdict_name(enum auth_verdict verdict)
{
	return verdicts[verdict].name;
}

const char *
auth_verdict_sentence(enum auth_verdict verdict)
{
	return verdicts[verdict].sentence;
}

bool
auth_is_enabled(const struct auth *auth)
{
	return auth->is_enabled;
}

/* --- questions -------------------------------------------------------------------------------- */

/* All of the table is looked at, whatever is found. */
static struct identity *
find_digest(const struct auth *auth, const uint8_t digest[SECRET_DIGEST_BYTES])
{
	size_t found = auth->tokens_count;

	for (size_t i = 0; i < auth->tokens_count; i++) {
		size_t is_it = secret_is_equal(auth->tokens[i]->digest, digest);

		found = found * !is_it + i * is_it;
	}
	return found < auth->tokens_count ? auth->tokens[found] : NULL;
}

static bool
is_over(const struct identity *identity, uint64_t now_ms)
{
	return identity->expires_ms != 0 && identity->expires_ms <= now_ms;
}

static struct identity *
identity_of_jwt(const struct auth *auth, const struct jwt *jwt)
{
	struct identity *identity;
	unsigned scopes = 0;

	for (unsigned i = 0; i < jwt->scopes_count; i++)
		scopes |= scope_find(span_cstr(jwt->scopes[i]));
	identity = identity_new(IDENTITY_JWT, span_cstr(jwt->subject), scopes, jwt->expires_ms);
	if (identity != NULL)
		memcpy(
		    identity->digest, auth->key_digests[jwt->algorithm], sizeof(identity->digest));
	return identity;
}

static enum auth_verdict
check_jwt(const struct auth *auth, struct span token, uint64_t now_ms, struct identity **ret)
{
	struct identity *identity;
	struct jwt jwt;

	switch (jwt_check(token, &auth->keys, now_ms, &jwt)) {
	case JWT_GOOD:
		break;
	case JWT_EXPIRED:
		return AUTH_EXPIRED;
	case JWT_NO_MEMORY:
		return AUTH_NO_MEMORY;
	case JWT_MALFORMED:
	case JWT_WRONG_KEY:
	case JWT_BAD_SIGNATURE:
	case JWT_BAD_CLAIMS:
	case JWT_TOO_EARLY:
	case JWT_WRONG_AUDIENCE:
		return AUTH_BAD_JWT;
	}
	identity = identity_of_jwt(auth, &jwt);
	if (identity == NULL)
		return AUTH_NO_MEMORY;
	*ret = identity;
	return AUTH_JWT;
}

static bool
has_keys(const struct auth *auth)
{
	return auth->keys.secret.n > 0 || auth->keys.public_key.n > 0;
}

enum auth_verdict
auth_check_token(const struct auth *auth, struct span token, uint64_t now_ms, struct identity **ret)
{
	uint8_t digest[SECRET_DIGEST_BYTES];
	struct identity *identity;

	if (secret_digest(token, digest) < 0)
		return AUTH_NO_MEMORY;
	identity = find_digest(auth, digest);
	if (identity == NULL && has_keys(auth) && jwt_is_likely(token))
		return check_jwt(auth, token, now_ms, ret);
	if (identity == NULL)
		return AUTH_BAD_TOKEN;
	if (is_over(identity, now_ms))
		return AUTH_EXPIRED;
	*ret = identity_ref(identity);
	return AUTH_TOKEN;
}

enum auth_verdict
auth_check_password(const struct auth *auth, struct span password, struct identity **ret)
{
	uint8_t digest[SECRET_DIGEST_BYTES];

	if (secret_digest(password, digest) < 0)
		return AUTH_NO_MEMORY;
	if (auth->password == NULL || !secret_is_equal(auth->password->digest, digest))
		return AUTH_BAD_PASSWORD;
	*ret = identity_ref(auth->password);
	return AUTH_PASSWORD;
}

enum auth_verdict
auth_check_local(const struct auth *auth, struct identity **ret)
{
	*ret = identity_ref(auth->local);
	return AUTH_LOCAL;
}

enum auth_verdict
auth_check_nobody(const struct auth *auth, bool is_loopback, struct identity **ret)
{
	if (auth->is_enabled)
		return AUTH_MISSING;
	if (!is_loopback && !auth->is_open_to_all)
		return AUTH_FOREIGN;
	*ret = identity_ref(auth->open);
	return AUTH_OPEN;
}

/* Who this object has for the credential of an identity of another one; a borrowed reference. */
static struct identity *
find_same(const struct auth *auth, struct identity *old)
{
	switch (old->kind) {
	case IDENTITY_LOCAL:
		return auth->local;
	case IDENTITY_OPEN:
		break;
	case IDENTITY_TOKEN:
		return find_digest(auth, old->digest);
	case IDENTITY_PROVIDER:
		if (auth->has_provider)
			return old;
		break;
	case IDENTITY_PASSWORD:
		if (auth->password != NULL && secret_is_equal(auth->password->digest, old->digest))
			return auth->password;
		break;
	case IDENTITY_JWT:
		if ((auth->keys.secret.n > 0 &&
			secret_is_equal(auth->key_digests[JWT_HS256], old->digest)) ||
		    (auth->keys.public_key.n > 0 &&
			secret_is_equal(auth->key_digests[JWT_EDDSA], old->digest)))
			return old;
		break;
	}
	return NULL;
}

struct identity *
auth_find_again(const struct auth *auth, struct identity *old, bool is_loopback, uint64_t now_ms)
{
	struct identity *found = NULL;

	if (auth->is_enabled || old->kind == IDENTITY_LOCAL)
		found = find_same(auth, old);
	else if (is_loopback || auth->is_open_to_all)
		found = auth->open;
	if (found == NULL || found->scopes != old->scopes || is_over(found, now_ms))
		return NULL;
	return identity_ref(found);
}
