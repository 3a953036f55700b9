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
#include "gateway/method_logs.h"
#include "gateway/method_sessions.h"

static void method_methods_list(const struct answer *to, const struct envelope *frame);

static const struct method methods[] = {
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
	{ "sessions.list", METHOD_READ, method_sessions_list },
	{ "status", METHOD_READ, method_status },
};

static_assert(ARRAY_LEN(methods) <= METHOD_OTHER, "the metrics have a row for each method");
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

/* methods.list: the table itself. */
static void
method_methods_list(const struct answer *to, const struct envelope *frame)
{
	struct buf *text = &to->connection->gateway->text;
	struct jsonw w;

	(void)frame;
	buf_reset(text);
	jsonw_init(&w, text);
	jsonw_object(&w);
	jsonw_key(&w, "methods");
	jsonw_array(&w);
	for (unsigned i = 0; i < methods_count(); i++) {
		jsonw_object(&w);
		jsonw_key(&w, "name");
		jsonw_cstr(&w, methods[i].name);
		jsonw_key(&w, "builtin");
		jsonw_bool(&w, true);
		jsonw_key(&w, "scope");
		jsonw_cstr(&w, method_scope_name(methods[i].scope));
		jsonw_key(&w, "providers");
		jsonw_uint(&w, 0);
		jsonw_object_end(&w);
	}
	jsonw_array_end(&w);
	jsonw_object_end(&w);
	if (buf_status(text) != 0)
		answer_no_memory(to);
	else
		answer_result(to, buf_span(text));
}
