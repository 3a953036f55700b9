/*
 * Who is let in, as what, and for how long: two workers with tokens, and clients that come with them,
 * without them, and with others.
 */
#include "support_cmocka.h"

#include "support_alloc.h"
#include "support_gateway.h"

#include "conf/scope.h"
#include "conf/secret.h"
#include "conf/token.h"
#include "gateway/admission.h"
#include "gateway/identity.h"

#define HELLO                                                                                      \
	"{\"type\":\"hello\",\"minProtocol\":1,\"maxProtocol\":1,\"client\":{\"id\":\"c\","        \
	"\"version\":\"1\",\"platform\":\"p\",\"mode\":\"cli\"},\"subscribe\":{\"events\":[\"*\"," \
	"\"gateway.*\"]}"

enum { CLIENT = 0 };

static struct auth *
build(void)
{
	struct auth *auth = auth_new(&stage.conf);

	assert_non_null(auth);
	return auth;
}

static void
add_token(const char *line)
{
	struct conf_token token = { .scopes = SCOPE_ALL };
	const char *fault;

	assert_int_equal(token_read_line(&token, span_cstr(line), &fault), 0);
	if (token.name == NULL)
		assert_int_equal(token_set_name(&token, SPAN("unnamed")), 0);
	assert_int_equal(tokens_append_take(&stage.conf.file_tokens, &token), 0);
}

static void
swap_both(void)
{
	for (unsigned i = 0; i < STAGE_GATEWAYS; i++)
		(void)admission_swap_take(&stage.gateways[i], build());
}

static int
set_up(void **state)
{
	static char nobody[] = "";
	if (bus_setup(state) != 0)
		return -1;
	stage.bus = *state;
	stage.conf.gateway = (struct conf_gateway){
		.max_payload = 16384,
		.max_buffered_bytes = 65536,
		.max_in_flight = 16,
		.max_header_bytes = 16384,
		.max_header_lines = 100,
		.max_hello_bytes = 65536,
		.max_fragments = 16,
		.auth_enabled = true,
		.auth_jwt_audience = nobody,
	};
	add_token("all-1 name=all");
	add_token("read-1 name=reader scopes=read");
	add_token("write-1 name=writer scopes=write events=agent.*,mine");
	add_token("none-1 name=provider scopes=provider");
	add_token("old-1 name=old expires=2020-01-01");
	assert_int_equal(secret_digest(SPAN("word"), stage.conf.gateway.auth_password.digest), 0);
	stage.conf.gateway.auth_password.is_set = true;
	for (unsigned i = 0; i < STAGE_GATEWAYS; i++)
		assert_true(stage_gateway_init(&stage.gateways[i], i));
	for (unsigned i = 0; i < STAGE_CLIENTS; i++)
		stage_client(i)->fd = -1;
	return 0;
}

static int
tear_down(void **state)
{
	for (unsigned i = 0; i < STAGE_CLIENTS; i++)
		stage_hang_up(i);
	for (unsigned i = 0; i < STAGE_GATEWAYS; i++)
		stage_gateway_fini(&stage.gateways[i]);
	tokens_fini(&stage.conf.file_tokens);
	return bus_teardown(state);
}

/* --- clients ---------------------------------------------------------------------------------- */

/* Upgrades, with these header lines. */
static void
upgrade(unsigned i, const char *lines)
{
	char text[1024];

	stage_connect(i, i % STAGE_GATEWAYS, false);
	snprintf(text, sizeof(text),
	    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
	    lines);
	stage_say(i, text);
	stage_run(0);
}

/* Says hello with this behind the usual; then nothing of the upgrade is among what was heard. */
static void
hello(unsigned i, const char *auth)
{
	char text[1024];

	stage_client(i)->heard = stage_client(i)->at = 0;
	snprintf(text, sizeof(text), HELLO "%s}", auth);
	stage_say_text(i, text);
	stage_run(0);
}

static bool
heard(unsigned i, const char *part)
{
	struct stage_client *c = stage_client(i);

	return memmem(c->bytes, c->heard, part, strlen(part)) != NULL;
}

static void
expect_refused(unsigned i, const char *why)
{
	assert_true(heard(i, "\"hello-error\""));
	assert_true(heard(i, "\"reason\":\"unauthorized\""));
	assert_true(heard(i, "\"message\":\"Authentication failed"));
	assert_true(heard(i, why));
	stage_hang_up(i);
	stage_run(0);
}

static void
expect_welcome(unsigned i)
{
	if (!heard(i, "\"hello-ok\""))
		print_error("%s\n", stage_client(i)->bytes);
	assert_true(heard(i, "\"hello-ok\""));
}

static void
ask(unsigned i, const char *method, const char *params)
{
	char text[512];

	stage_client(i)->heard = stage_client(i)->at = 0;
	snprintf(text, sizeof(text),
	    "{\"id\":\"q\",\"type\":\"request\",\"method\":\"%s\",\"params\":%s}", method, params);
	stage_say_text(i, text);
	stage_run(0);
}

/* --- the hello -------------------------------------------------------------------------------- */

static void
credentials_of_the_hello(void **state)
{
	static const char *const good[] = { ",\"auth\":{\"token\":\"all-1\"}",
		",\"auth\":{\"token\":\"read\\u002d1\"}", ",\"auth\":{\"password\":\"word\"}",
		",\"auth\":{\"token\":\"\",\"password\":\"word\"}" };
	static const struct {
		const char *auth, *why;
	} bad[] = {
		{ "", "a token is needed" },
		{ ",\"auth\":{}", "a token is needed" },
		{ ",\"auth\":{\"token\":\"\"}", "a token is needed" },
		{ ",\"auth\":{\"token\":\"all-2\"}", "not known here" },
		{ ",\"auth\":{\"token\":\"all-1 \"}", "not known here" },
		{ ",\"auth\":{\"token\":\"ALL-1\"}", "not known here" },
		{ ",\"auth\":{\"token\":\"word\"}", "not known here" },
		{ ",\"auth\":{\"token\":\"a.b.c\"}", "not known here" },
		{ ",\"auth\":{\"token\":\"old-1\"}", "has expired" },
		{ ",\"auth\":{\"password\":\"all-1\"}", "not the right one" },
		{ ",\"auth\":{\"token\":\"all-2\",\"password\":\"word\"}", "not known here" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		upgrade(CLIENT, "");
		hello(CLIENT, good[i]);
		expect_welcome(CLIENT);
		stage_hang_up(CLIENT);
		stage_run(0);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		upgrade(CLIENT, "");
		hello(CLIENT, bad[i].auth);
		expect_refused(CLIENT, bad[i].why);
	}
}

static void
credentials_of_the_upgrade(void **state)
{
	(void)state;
	upgrade(CLIENT, "Authorization: Bearer read-1\r\n");
	hello(CLIENT, "");
	expect_welcome(CLIENT);
	assert_false(heard(CLIENT, "events.publish"));
	stage_hang_up(CLIENT);
	upgrade(CLIENT, "Authorization: Bearer all-2\r\n");
	assert_true(heard(CLIENT, "HTTP/1.1 401 "));
	assert_true(heard(CLIENT, "WWW-Authenticate: Bearer\r\n"));
	stage_hang_up(CLIENT);
	/* Given both, the hello's counts, for better and for worse. */
	upgrade(CLIENT, "Authorization: Bearer read-1\r\n");
	hello(CLIENT, ",\"auth\":{\"token\":\"all-1\"}");
	expect_welcome(CLIENT);
	assert_true(heard(CLIENT, "events.publish"));
	stage_hang_up(CLIENT);
	upgrade(CLIENT, "Authorization: Bearer all-1\r\n");
	hello(CLIENT, ",\"auth\":{\"token\":\"wrong\"}");
	expect_refused(CLIENT, "not known here");
}

static void
what_was_said_is_wiped(void **state)
{
	const struct gateway *g = &stage.gateways[0];

	(void)state;
	upgrade(CLIENT, "Authorization: Bearer all-1\r\n");
	assert_null(memmem(g->read_buffer, GATEWAY_READ_BYTES, "all-1", 5));
	hello(CLIENT, ",\"auth\":{\"token\":\"read-1\"}");
	expect_welcome(CLIENT);
	assert_null(memmem(g->read_buffer, GATEWAY_READ_BYTES, "read-1", 6));
}

/* --- scopes ----------------------------------------------------------------------------------- */

static void
methods_need_their_scope(void **state)
{
	static const char *const all[] = { "channels.list", "connections.close", "connections.list",
		"events.history", "events.publish", "events.subscribe", "health", "methods.list",
		"sessions.list", "status" };

	(void)state;
	upgrade(CLIENT, "");
	hello(CLIENT, ",\"auth\":{\"token\":\"none-1\"}");
	expect_welcome(CLIENT);
	assert_true(heard(CLIENT, "\"methods\":[\"provider.register\"]"));
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		ask(CLIENT, all[i], "{}");
		assert_true(heard(CLIENT, "\"reason\":\"forbidden\""));
	}
	ask(CLIENT, "no.such", "{}");
	assert_true(heard(CLIENT, "METHOD_NOT_FOUND"));
}

static void
events_need_their_pattern(void **state)
{
	(void)state;
	upgrade(CLIENT, "");
	hello(CLIENT, ",\"auth\":{\"token\":\"write-1\"}");
	ask(CLIENT, "events.publish", "{\"event\":\"agent.delta\"}");
	assert_true(heard(CLIENT, "\"result\":{\"id\":\"evt_"));
	ask(CLIENT, "events.publish", "{\"event\":\"mine\"}");
	assert_true(heard(CLIENT, "\"result\":{\"id\":\"evt_"));
	ask(CLIENT, "events.publish", "{\"event\":\"minor\"}");
	assert_true(heard(CLIENT, "\"reason\":\"forbidden\""));
	ask(CLIENT, "events.publish", "{\"event\":\"agent\"}");
	assert_true(heard(CLIENT, "\"reason\":\"forbidden\""));
	ask(CLIENT, "events.publish", "{\"event\":\"gateway.connected\"}");
	assert_true(heard(CLIENT, "\"reason\":\"reserved-event\""));
	ask(CLIENT, "connections.close", "{\"connId\":\"00000001\"}");
	assert_true(heard(CLIENT, "\"reason\":\"forbidden\""));
}

/* Two clients with the same filter, of which one is an administrator. */
static void
admin_events_are_for_administrators(void **state)
{
	(void)state;
	upgrade(0, "");
	hello(0, ",\"auth\":{\"token\":\"read-1\"}");
	upgrade(2, "");
	hello(2, ",\"auth\":{\"token\":\"all-1\"}");
	ask(0, "events.subscribe", "{\"events\":[\"gateway.connected\",\"*\"]}");
	stage_client(0)->heard = stage_client(2)->heard = 0;
	upgrade(1, "");
	hello(1, ",\"auth\":{\"token\":\"all-1\"}");
	expect_welcome(1);
	assert_true(heard(2, "\"event\":\"gateway.connected\""));
	assert_false(heard(0, "gateway.connected"));
	ask(0, "events.history", "{\"afterSeq\":0,\"events\":[\"gateway.*\"]}");
	assert_false(heard(0, "gateway.connected"));
	ask(2, "events.history", "{\"afterSeq\":0,\"events\":[\"gateway.*\"]}");
	assert_true(heard(2, "\"event\":\"gateway.connected\""));
}

/* --- plain HTTP ------------------------------------------------------------------------------- */

static void
expect_status(const char *path, const char *lines, unsigned status)
{
	char text[512], wanted[32];

	stage_connect(CLIENT, 0, false);
	snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", path, lines);
	stage_say(CLIENT, text);
	stage_run(0);
	snprintf(wanted, sizeof(wanted), "HTTP/1.1 %u ", status);
	if (!heard(CLIENT, wanted))
		print_error("%s: %s\n", path, stage_client(CLIENT)->bytes);
	assert_true(heard(CLIENT, wanted));
	stage_hang_up(CLIENT);
	stage_run(0);
}

static void
endpoints_need_their_scope(void **state)
{
	static const char *const open[] = { "/health", "/live", "/ready" };
	static const char *const closed[] = { "/", "/info", "/metrics" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(open); i++) {
		expect_status(open[i], "", 200);
		expect_status(open[i], "Authorization: Bearer wrong\r\n", 200);
	}
	for (size_t i = 0; i < ARRAY_LEN(closed); i++) {
		expect_status(closed[i], "", 401);
		expect_status(closed[i], "Authorization: Bearer wrong\r\n", 401);
		expect_status(closed[i], "Authorization: Bearer old-1\r\n", 401);
		expect_status(closed[i], "Authorization: Basic all-1\r\n", 401);
		expect_status(closed[i], "Authorization: Bearer none-1\r\n", 403);
		expect_status(closed[i], "Authorization: Bearer read-1\r\n", 200);
	}
	expect_status("/info?token=all-1", "", 401);
	stage.conf.gateway.metrics_public = true;
	expect_status("/metrics", "", 200);
	expect_status("/info", "", 401);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void
a_token_that_is_taken_away(void **state)
{
	(void)state;
	upgrade(0, "");
	hello(0, ",\"auth\":{\"token\":\"read-1\"}");
	upgrade(2, "");
	hello(2, ",\"auth\":{\"token\":\"all-1\"}");
	swap_both();
	stage_run(0);
	stage_take(0);
	assert_int_equal(stage_client(0)->code, 0);
	tokens_fini(&stage.conf.file_tokens);
	add_token("all-1 name=renamed");
	swap_both();
	stage_run(0);
	stage_take(0);
	stage_take(2);
	assert_int_equal(stage_client(0)->code, 1008);
	assert_int_equal(stage_client(2)->code, 0);
	/* The one that stays may do what it could, and is found under its new name. */
	ask(2, "connections.list", "{}");
	assert_true(heard(2, "\"result\""));
}

static void
a_token_that_allows_something_else(void **state)
{
	(void)state;
	upgrade(0, "");
	hello(0, ",\"auth\":{\"token\":\"all-1\"}");
	tokens_fini(&stage.conf.file_tokens);
	add_token("all-1 name=all scopes=read");
	swap_both();
	stage_run(0);
	stage_take(0);
	assert_int_equal(stage_client(0)->code, 1008);
}

static void
a_token_that_expires(void **state)
{
	struct gateway *g = &stage.gateways[0];
	uint64_t end_ms = clock_real_ms() + 3600000;

	(void)state;
	stage.conf.file_tokens.list[1].expires_ms = end_ms;
	stage.conf.file_tokens.list[0].expires_ms = end_ms + 3600000;
	swap_both();
	upgrade(0, "");
	hello(0, ",\"auth\":{\"token\":\"read-1\"}");
	upgrade(2, "");
	hello(2, ",\"auth\":{\"token\":\"all-1\"}");
	assert_int_equal(g->first_expiry_ms, end_ms);
	admission_tick(g, end_ms - 1);
	stage_run(0);
	stage_take(0);
	assert_int_equal(stage_client(0)->code, 0);
	admission_tick(g, end_ms);
	stage_run(0);
	stage_take(0);
	stage_take(2);
	assert_int_equal(stage_client(0)->code, 1008);
	assert_int_equal(stage_client(2)->code, 0);
	assert_int_equal(g->first_expiry_ms, end_ms + 3600000);
}

static void
authentication_that_is_switched(void **state)
{
	(void)state;
	stage.conf.gateway.auth_enabled = false;
	swap_both();
	upgrade(0, "Authorization: Bearer of-somebody-else\r\n");
	hello(0, ",\"auth\":{\"token\":\"whatever\"}");
	expect_welcome(0);
	stage.conf.gateway.auth_enabled = true;
	swap_both();
	stage_run(0);
	stage_take(0);
	assert_int_equal(stage_client(0)->code, 1008);
}

static void
an_empty_table_lets_in_nobody(void **state)
{
	(void)state;
	tokens_fini(&stage.conf.file_tokens);
	stage.conf.gateway.auth_password.is_set = false;
	swap_both();
	upgrade(CLIENT, "");
	hello(CLIENT, ",\"auth\":{\"token\":\"all-1\"}");
	expect_refused(CLIENT, "not known here");
	upgrade(CLIENT, "");
	hello(CLIENT, ",\"auth\":{\"password\":\"word\"}");
	expect_refused(CLIENT, "not the right one");
}

/* --- the object itself ------------------------------------------------------------------------ */

static void
other_machines_need_a_token_or_leave(void **state)
{
	struct identity *identity = NULL;
	struct auth *auth;

	(void)state;
	stage.conf.gateway.auth_enabled = false;
	auth = build();
	assert_int_equal(auth_check_nobody(auth, false, &identity), AUTH_FOREIGN);
	assert_null(identity);
	assert_non_null(strstr(auth_verdict_sentence(AUTH_FOREIGN), "gateway.auth_enabled"));
	assert_non_null(strstr(auth_verdict_sentence(AUTH_FOREIGN), "--allow-unauthenticated"));
	assert_int_equal(auth_check_nobody(auth, true, &identity), AUTH_OPEN);
	/* Who was let in from here stays only while it could come again. */
	assert_null(auth_find_again(auth, identity, false, 0));
	identity_unref(identity);
	auth_free(auth);
	stage.conf.gateway.allow_unauthenticated = true;
	auth = build();
	assert_int_equal(auth_check_nobody(auth, false, &identity), AUTH_OPEN);
	identity_unref(identity);
	assert_int_equal(auth_check_local(auth, &identity), AUTH_LOCAL);
	assert_true(identity_has(identity, SCOPE_ADMIN));
	identity_unref(identity);
	auth_free(auth);
}

static void
verdicts_have_labels(void **state)
{
	(void)state;
	for (unsigned i = 0; i < AUTH_VERDICTS; i++) {
		enum auth_verdict verdict = (enum auth_verdict)i;

		assert_non_null(auth_verdict_name(verdict));
		assert_int_equal(auth_is_good(verdict), auth_verdict_sentence(verdict)[0] == '\0');
	}
	assert_false(identity_has(NULL, SCOPE_READ));
	assert_false(identity_may_publish(NULL, SPAN("a")));
}

static void
try_new(void *arg)
{
	struct auth *auth = auth_new(&stage.conf);

	(void)arg;
	auth_free(auth);
}

static void
without_memory(void **state)
{
	(void)state;
	assert_true(support_alloc_try_each(try_new, NULL) > 10);
}

#define admission_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		admission_test(credentials_of_the_hello),
		admission_test(credentials_of_the_upgrade),
		admission_test(what_was_said_is_wiped),
		admission_test(methods_need_their_scope),
		admission_test(events_need_their_pattern),
		admission_test(admin_events_are_for_administrators),
		admission_test(endpoints_need_their_scope),
		admission_test(a_token_that_is_taken_away),
		admission_test(a_token_that_allows_something_else),
		admission_test(a_token_that_expires),
		admission_test(authentication_that_is_switched),
		admission_test(an_empty_table_lets_in_nobody),
		admission_test(other_machines_need_a_token_or_leave),
		admission_test(verdicts_have_labels),
		admission_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
