/*
 * One asking stands beside each connection that waits for its answer; the connection's deadline for the hello
 * goes on, so that a provider that does not answer costs no more than a client that says no hello.
 */
#include "gateway/authprovider.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/jsonw.h"
#include "base/list.h"
#include "base/map.h"
#include "conf/conf.h"
#include "conf/scope.h"
#include "conf/secret.h"
#include "gateway/calls.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/identity.h"
#include "proto/hello.h"
#include "proto/params.h"

enum { REMEMBERED_MAX = 1024, NAME_MAX_LENGTH = 128 };
enum { RESULT_NAME, RESULT_SCOPES, RESULT_EXPIRES, RESULT_FIELDS };

static const struct param result_table[RESULT_FIELDS] = {
	[RESULT_NAME] = { .name = "name",
	    .kind = PARAM_STRING,
	    .required = true,
	    .min = 1,
	    .max = NAME_MAX_LENGTH },
	[RESULT_SCOPES] = { .name = "scopes",
	    .kind = PARAM_STRINGS,
	    .required = true,
	    .min = 0,
	    .max = SCOPE_COUNT,
	    .item_max = 16 },
	[RESULT_EXPIRES] = { .name = "expiresAtMs",
	    .kind = PARAM_INTEGER,
	    .min = 1,
	    .max = JSON_INTEGER_MAX },
};

struct remembered {
	struct list link; /* authprovider.oldest: the first is the oldest */
	struct identity *identity;
	uint8_t digest[SECRET_DIGEST_BYTES];
};

struct authprovider {
	struct map *by_digest;
	struct list oldest;
};

struct asking {
	struct connection *connection;
	struct hello *hello;
	struct call *call;
	authprovider_done_fn done;
	uint8_t digest[SECRET_DIGEST_BYTES];
};

/* --- what is remembered ----------------------------------------------------------------------- */

struct authprovider *
authprovider_new(void)
{
	struct authprovider *a = mem_zalloc(sizeof(*a));

	if (a == NULL)
		return NULL;
	list_init(&a->oldest);
	a->by_digest = map_new();
	if (a->by_digest == NULL) {
		mem_free(a);
		return NULL;
	}
	return a;
}

static struct span
key_of(const uint8_t digest[SECRET_DIGEST_BYTES])
{
	return span_make((const char *)digest, SECRET_DIGEST_BYTES);
}

static void
forget(struct authprovider *a, struct remembered *r)
{
	(void)map_remove(a->by_digest, key_of(r->digest));
	list_remove(&r->link);
	identity_unref(r->identity);
	mem_free(r);
}

void
authprovider_free(struct authprovider *a)
{
	struct list *first;

	if (a == NULL)
		return;
	while ((first = list_first(&a->oldest)) != NULL)
		forget(a, container_of(first, struct remembered, link));
	map_free(a->by_digest);
	mem_free(a);
}

/* Only what ends: of the rest nobody would say when it does. Without memory it is asked again. */
static void
remember(
    struct authprovider *a, struct identity *identity, const uint8_t digest[SECRET_DIGEST_BYTES])
{
	struct remembered *r = map_get(a->by_digest, key_of(digest));

	if (r != NULL)
		forget(a, r);
	if (identity->expires_ms == 0)
		return;
	if (map_count(a->by_digest) >= REMEMBERED_MAX)
		forget(a, container_of(list_first(&a->oldest), struct remembered, link));
	r = mem_zalloc(sizeof(*r));
	if (r == NULL)
		return;
	memcpy(r->digest, digest, SECRET_DIGEST_BYTES);
	list_init(&r->link);
	if (map_put(a->by_digest, key_of(digest), r) != 0) {
		mem_free(r);
		return;
	}
	r->identity = identity_ref(identity);
	list_append(&a->oldest, &r->link);
}

static struct identity *
recall(struct authprovider *a, const uint8_t digest[SECRET_DIGEST_BYTES])
{
	struct remembered *r = map_get(a->by_digest, key_of(digest));

	if (r == NULL)
		return NULL;
	if (r->identity->expires_ms <= clock_real_ms()) {
		forget(a, r);
		return NULL;
	}
	return identity_ref(r->identity);
}

/* --- asking ----------------------------------------------------------------------------------- */

static const char *
method_of(const struct gateway *g)
{
	const char *method = g->conf->gateway.auth_provider;

	return method != NULL ? method : "";
}

bool
authprovider_is_wanted(const struct gateway *g, enum auth_verdict verdict)
{
	return method_of(g)[0] != '\0' &&
	       (verdict == AUTH_BAD_TOKEN || verdict == AUTH_BAD_PASSWORD ||
		   verdict == AUTH_BAD_JWT);
}

static void
write_client(const struct hello_client *client, struct jsonw *w)
{
	jsonw_key(w, "client");
	jsonw_object(w);
	jsonw_key(w, "id");
	jsonw_str(w, client->id);
	jsonw_key(w, "version");
	jsonw_str(w, client->version);
	jsonw_key(w, "platform");
	jsonw_str(w, client->platform);
	jsonw_key(w, "mode");
	jsonw_cstr(w, hello_mode_name(client->mode));
	jsonw_object_end(w);
}

static void
write_params(const struct connection *c, const struct hello *hello, struct buf *out)
{
	char remote[SOCKET_TEXT_MAX];
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object(&w);
	if (hello->credentials->token.n > 0) {
		jsonw_key(&w, "token");
		jsonw_str(&w, hello->credentials->token);
	} else {
		jsonw_key(&w, "password");
		jsonw_str(&w, hello->credentials->password);
	}
	write_client(&hello->client, &w);
	jsonw_key(&w, "remote");
	jsonw_cstr(&w, socket_peer_text(&c->peer, remote));
	jsonw_object_end(&w);
}

/* A token and a password of the same letters are not the same. */
static bool
digest_credentials(const struct hello *hello, uint8_t ret[SECRET_DIGEST_BYTES])
{
	bool is_token = hello->credentials->token.n > 0;
	struct buf text = { 0 };
	bool is_done;

	buf_append_cstr(&text, is_token ? "token " : "password ");
	buf_append_span(&text, is_token ? hello->credentials->token : hello->credentials->password);
	is_done = buf_status(&text) == 0 && secret_digest(buf_span(&text), ret) == 0;
	secret_wipe_buf(&text);
	return is_done;
}

/* --- the answer ------------------------------------------------------------------------------- */

/* It is over: the connection goes on. */
static void
settle(struct asking *asking, enum auth_verdict verdict, struct identity *identity)
{
	struct connection *c = asking->connection;
	struct hello *hello = asking->hello;
	authprovider_done_fn done = asking->done;

	c->asking = NULL;
	mem_free(asking);
	hello_forget_credentials(hello);
	done(c, hello, verdict, identity);
	if (c->state == CONNECTION_OPEN)
		connection_resume(c);
}

static struct identity *
read_identity(struct span result)
{
	struct envelope_fault fault;
	struct params params;
	struct identity *identity;
	const struct param_value *v = params.values;
	unsigned scopes = 0;

	if (params_read(&params, result, "result", result_table, RESULT_FIELDS, &fault) != 0)
		return NULL;
	for (size_t i = 0; i < v[RESULT_SCOPES].strings_count; i++)
		scopes |= scope_find(v[RESULT_SCOPES].strings[i]);
	identity = identity_new(IDENTITY_PROVIDER, v[RESULT_NAME].string, scopes,
	    v[RESULT_EXPIRES].is_present ? (uint64_t)v[RESULT_EXPIRES].integer : 0);
	params_fini(&params);
	return identity;
}

static void
on_result(void *owner, struct span result)
{
	struct asking *asking = owner;
	struct gateway *g = asking->connection->gateway;
	struct identity *identity = read_identity(result);

	if (identity == NULL) {
		log_conn_warning(asking->connection->id,
		    "%s did not answer with {name, scopes, expiresAtMs?}", method_of(g));
		settle(asking, AUTH_REFUSED, NULL);
		return;
	}
	if (identity->expires_ms != 0 && identity->expires_ms <= clock_real_ms()) {
		identity_unref(identity);
		settle(asking, AUTH_EXPIRED, NULL);
		return;
	}
	remember(g->authprovider, identity, asking->digest);
	settle(asking, AUTH_PROVIDER, identity);
}

static void
on_error(void *owner, enum error_code code, struct span error)
{
	(void)code;
	(void)error;
	settle(owner, AUTH_REFUSED, NULL);
}

static void
on_failure(void *owner, enum call_failure failure)
{
	(void)failure;
	settle(owner, AUTH_NOT_LINKED, NULL);
}

static void
on_progress(void *owner, struct span payload)
{
	(void)owner;
	(void)payload;
}

static const struct call_sink sink = { on_result, on_error, on_failure, on_progress };

static int
start(struct asking *asking)
{
	struct connection *c = asking->connection;
	struct gateway *g = c->gateway;
	struct buf params = { 0 };
	struct call_request request = {
		.method = span_cstr(method_of(g)),
		.timeout_ms = g->conf->gateway.handshake_timeout_ms,
		.end_ms = clock_mono_ms() + g->conf->gateway.handshake_timeout_ms,
		.conn_id = c->id,
		.client_id = asking->hello->client.id,
	};
	int r = 1 + CALL_NO_MEMORY;

	write_params(c, asking->hello, &params);
	request.params = buf_span(&params);
	if (buf_status(&params) == 0)
		r = calls_start(g, &request, &sink, asking, &asking->call);
	secret_wipe_buf(&params);
	return r;
}

enum auth_verdict
authprovider_ask(
    struct connection *c, struct hello *hello, authprovider_done_fn done, struct identity **ret)
{
	struct asking *asking = mem_zalloc(sizeof(*asking));
	struct identity *identity;
	int r;

	if (asking == NULL || !digest_credentials(hello, asking->digest)) {
		mem_free(asking);
		return AUTH_NO_MEMORY;
	}
	identity = recall(c->gateway->authprovider, asking->digest);
	if (identity != NULL) {
		mem_free(asking);
		*ret = identity;
		return AUTH_PROVIDER;
	}
	asking->connection = c;
	asking->hello = hello;
	asking->done = done;
	r = start(asking);
	if (r != 0) {
		mem_free(asking);
		return r == 1 + CALL_NO_MEMORY ? AUTH_NO_MEMORY : AUTH_NOT_LINKED;
	}
	c->asking = asking;
	connection_pause(c);
	return AUTH_ASKED;
}

void
authprovider_leave(struct connection *c)
{
	struct asking *asking = c->asking;

	if (asking == NULL)
		return;
	c->asking = NULL;
	call_cancel(asking->call);
	hello_free(asking->hello);
	mem_free(asking);
}
