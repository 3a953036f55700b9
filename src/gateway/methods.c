/*
 * The table of methods.  It is searched by bisection and listed in its own order, so it must stay sorted.
 */
#include "gateway/methods.h"

#include <assert.h>
#include <string.h>

#include "base/jsonw.h"
#include "base/macros.h"
#include "bus/counters.h"
#include "conf/scope.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/identity.h"
#include "gateway/method_config.h"
#include "gateway/method_connections.h"
#include "gateway/method_events.h"
#include "gateway/method_health.h"
#include "gateway/method_history.h"
#include "gateway/method_providers.h"
#include "gateway/method_logs.h"
#include "gateway/method_sessions.h"
#include "gateway/routes.h"

static void method_register(const struct answer *to, const struct envelope *frame);
static void method_methods_list(const struct answer *to, const struct envelope *frame);

static const struct method methods[] = {
	{ "channels.list", METHOD_READ, method_channels_list },
	{ "config.get", METHOD_ADMIN, method_config_get },
	{ "config.reload", METHOD_ADMIN, method_config_reload },
	{ "connections.close", METHOD_ADMIN, method_connections_close },
	{ "connections.list", METHOD_READ, method_connections_list },
	{ "events.history", METHOD_READ, method_events_history },
	{ "events.publish", METHOD_WRITE, method_events_publish },
	{ "events.subscribe", METHOD_READ, method_events_subscribe },
	{ "health", METHOD_READ, method_health },
	{ "logs.tail", METHOD_ADMIN, method_logs_tail },
	{ "methods.list", METHOD_READ, method_methods_list },
	{ "provider.register", METHOD_PROVIDER, method_register },
	{ "sessions.list", METHOD_READ, method_sessions_list },
	{ "status", METHOD_READ, method_status },
};

static_assert(ARRAY_LEN(methods) <= METHOD_PROVIDED, "the metrics have a row for each method");
static_assert(1U << METHOD_READ == SCOPE_READ && 1U << METHOD_PROVIDER == SCOPE_PROVIDER,
    "a scope is the bit of its number");
static_assert((int)METHOD_OTHER < (int)COUNTERS_METHODS, "and one for all other names");

unsigned
methods_count(void)
{
	return ARRAY_LEN(methods);
}

const struct method *
method_at(unsigned index)
{
	return &methods[index];
}

unsigned
method_find(struct span name)
{
	unsigned low = 0, high = ARRAY_LEN(methods);

	while (low < high) {
		unsigned middle = (low + high) / 2;
		struct span candidate = span_cstr(methods[middle].name);
		size_t shorter = name.n < candidate.n ? name.n : candidate.n;
		int order = memcmp(name.p, candidate.p, shorter);

		if (order == 0 && name.n == candidate.n)
			return middle;
		if (order < 0 || (order == 0 && name.n < candidate.n))
			high = middle;
		else
			low = middle + 1;
	}
	return METHOD_OTHER;
}

const char *
method_scope_name(enum method_scope scope)
{
	return scope_name(scope);
}

bool
method_is_allowed(const struct method *method, const struct identity *identity)
{
	return identity_has(identity, 1U << method->scope);
}

static bool
is_builtin(struct span name)
{
	return method_find(name) != METHOD_OTHER;
}

static void
method_register(const struct answer *to, const struct envelope *frame)
{
	method_provider_register(to, frame, is_builtin);
}

/* A walk over all methods in the order of their names: the table's and the providers', merged. */
struct walk {
	const struct routes *routes;
	unsigned own, provided; /* of each how many were passed */
};

/* The next one: built in, or (NULL) a provider's, whose place is *ret_route. False at the end. */
static bool
walk_next(struct walk *walk, const struct method **ret, unsigned *ret_route)
{
	bool has_own = walk->own < ARRAY_LEN(methods);
	bool has_provided = walk->provided < routes_methods_count(walk->routes);
	unsigned route =
	    has_provided ? routes_in_order(walk->routes, walk->provided) : (unsigned)ROUTES_NONE;

	if (!has_own && !has_provided)
		return false;
	if (has_own && (!has_provided || span_compare(span_cstr(methods[walk->own].name),
					     routes_method_name(walk->routes, route)) < 0)) {
		*ret = &methods[walk->own++];
		return true;
	}
	walk->provided++;
	*ret = NULL;
	*ret_route = route;
	return true;
}

void
methods_write_names(const struct gateway *g, const struct identity *identity, struct jsonw *w)
{
	struct walk walk = { .routes = g->routes };
	const struct method *method;
	unsigned route = ROUTES_NONE;

	while (walk_next(&walk, &method, &route)) {
		if (method != NULL && method_is_allowed(method, identity))
			jsonw_cstr(w, method->name);
		else if (method == NULL && identity_has(identity, 1U << METHOD_PROVIDED_SCOPE))
			jsonw_str(w, routes_method_name(g->routes, route));
	}
}

static void
write_method(
    struct jsonw *w, struct span name, bool is_builtin, enum method_scope scope, unsigned providers)
{
	jsonw_object(w);
	jsonw_key(w, "name");
	jsonw_str(w, name);
	jsonw_key(w, "builtin");
	jsonw_bool(w, is_builtin);
	jsonw_key(w, "scope");
	jsonw_cstr(w, method_scope_name(scope));
	jsonw_key(w, "providers");
	jsonw_uint(w, providers);
	jsonw_object_end(w);
}

static void
method_methods_list(const struct answer *to, const struct envelope *frame)
{
	const struct gateway *g = to->connection->gateway;
	struct buf *text = &to->connection->gateway->text;
	struct walk walk = { .routes = g->routes };
	const struct method *method;
	const uint16_t *providers;
	unsigned route = ROUTES_NONE;
	struct jsonw w;

	(void)frame;
	buf_reset(text);
	jsonw_init(&w, text);
	jsonw_object(&w);
	jsonw_key(&w, "methods");
	jsonw_array(&w);
	while (walk_next(&walk, &method, &route)) {
		if (method != NULL)
			write_method(&w, span_cstr(method->name), true, method->scope, 0);
		else
			write_method(&w, routes_method_name(g->routes, route), false,
			    METHOD_PROVIDED_SCOPE, routes_providers(g->routes, route, &providers));
	}
	jsonw_array_end(&w);
	jsonw_object_end(&w);
	if (buf_status(text) != 0)
		answer_no_memory(to);
	else
		answer_result(to, buf_span(text));
}
