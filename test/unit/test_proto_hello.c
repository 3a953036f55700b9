/*
 * The hello: what it may say, every field that can be wrong with the path and reason of its fault,
 * versions, and that nothing of it is needed once it was read.
 */
#include "support_cmocka.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/hello.h"
#include "support_alloc.h"

#define CLIENT                                                                         \
	"\"client\":{\"id\":\"my-client\",\"version\":\"1.0.0\",\"platform\":\"web\"," \
	"\"mode\":\"web\"}"
#define HEAD  "{\"type\":\"hello\",\"minProtocol\":1,\"maxProtocol\":1,"
#define HELLO HEAD CLIENT

static const char full[] =
    "{\"type\":\"hello\",\"minProtocol\":1,\"maxProtocol\":3,\"id\":7,"
    "\"client\":{\"id\":\"my-\\u0063lient\",\"displayName\":\"My \xe2\x82\xac client\","
    "\"version\":\"1.0.0\",\"platform\":\"linux\",\"mode\":\"cli\",\"extra\":{}},"
    "\"caps\":[\"one\",\"t\\u0077o\"],\"auth\":{\"token\":\"secret-word\",\"other\":1},"
    "\"subscribe\":{\"events\":[\"session.*\"],\"sessionKeys\":[\"k\"]},"
    "\"resume\":{\"epoch\":\"00ff\",\"seq\":1041}}";

/* Parses a copy that is gone afterwards. */
static int
parse(struct span text, struct hello **ret, struct envelope_fault *fault)
{
	char *copy = malloc(text.n > 0 ? text.n : 1);
	int r;

	assert_non_null(copy);
	memcpy(copy, text.p, text.n);
	r = hello_parse(span_make(copy, text.n), ret, fault);
	memset(copy, '#', text.n);
	free(copy);
	return r;
}

static struct hello *
must_parse(const char *text)
{
	struct envelope_fault fault;
	struct hello *hello = NULL;

	if (parse(span_cstr(text), &hello, &fault) != 0)
		fail_msg("%s: %s", fault.sentence, text);
	return hello;
}

static void
assert_refused(const char *text, const char *reason, const char *field)
{
	struct envelope_fault fault;
	struct hello *hello = NULL;

	if (parse(span_cstr(text), &hello, &fault) != -EBADMSG)
		fail_msg("accepted: %s", text);
	assert_null(hello);
	assert_int_equal(fault.code, ERROR_INVALID_REQUEST);
	if (strcmp(fault.reason, reason) != 0 || strcmp(fault.field, field) != 0)
		fail_msg("%s %s (%s): %s", fault.reason, fault.field, fault.sentence, text);
}

static void
test_full(void **state)
{
	struct hello *hello = must_parse(full);
	struct filter *filter;

	(void)state;
	assert_int_equal(hello->min_protocol, 1);
	assert_int_equal(hello->max_protocol, 3);
	assert_int_equal(hello->protocol, 1);
	assert_span(hello->client.id, "my-client");
	assert_span(hello->client.display_name, "My \xe2\x82\xac client");
	assert_span(hello->client.version, "1.0.0");
	assert_span(hello->client.platform, "linux");
	assert_int_equal(hello->client.mode, HELLO_MODE_CLI);
	assert_int_equal(hello->caps_count, 2);
	assert_span(hello->caps[0], "one");
	assert_span(hello->caps[1], "two");
	assert_true(hello->has_resume);
	assert_span(hello->resume_epoch, "00ff");
	assert_int_equal(hello->resume_seq, 1041);
	assert_true(filter_takes(hello->filter, SPAN("session.message"), SPAN("k")));
	assert_false(filter_takes(hello->filter, SPAN("agent.run"), SPAN("k")));
	filter = hello_steal_filter(hello);
	assert_non_null(filter);
	assert_null(hello_steal_filter(hello));
	hello_free(hello);
	assert_true(filter_takes(filter, SPAN("session.message"), SPAN("k")));
	filter_free(filter);
	hello_free(NULL);
}

static void
test_cut_short(void **state)
{
	struct envelope_fault fault;
	struct hello *hello = NULL;
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(full) - 1; n++) {
		assert_int_equal(parse(span_make(full, n), &hello, &fault), -EBADMSG);
		assert_string_equal(fault.reason, "invalid-json");
	}
	assert_null(hello);
}

static void
test_minimal(void **state)
{
	static const char *const texts[] = { HELLO "}",
		HELLO ",\"caps\":null,\"auth\":null,\"subscribe\":null,\"resume\":null}",
		HELLO ",\"caps\":[],\"auth\":{},\"subscribe\":{},\"unknown\":[1]}",
		HELLO ",\"auth\":{\"token\":null,\"password\":\"\"}}" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(texts); i++) {
		struct hello *hello = must_parse(texts[i]);

		assert_span(hello->client.id, "my-client");
		assert_int_equal(hello->client.display_name.n, 0);
		assert_int_equal(hello->client.mode, HELLO_MODE_WEB);
		assert_int_equal(hello->caps_count, 0);
		assert_false(hello->has_resume);
		assert_int_equal(hello->resume_seq, 0);
		assert_true(filter_takes(hello->filter, SPAN("agent.run"), SPAN("")));
		hello_free(hello);
	}
}

static void
test_snake_case(void **state)
{
	struct hello *hello =
	    must_parse("{\"type\":\"hello\",\"min_protocol\":0,\"max_protocol\":1,"
		       "\"client\":{\"id\":\"a\",\"display_name\":\"A\",\"version\":\"1\","
		       "\"platform\":\"x\",\"mode\":\"app\"}}");

	(void)state;
	assert_int_equal(hello->min_protocol, 0);
	assert_int_equal(hello->protocol, 1);
	assert_span(hello->client.display_name, "A");
	assert_int_equal(hello->client.mode, HELLO_MODE_APP);
	hello_free(hello);
	assert_refused(HELLO ",\"min_protocol\":1}", "duplicate-key", "min_protocol");
}

static void
test_not_a_hello(void **state)
{
	(void)state;
	assert_refused("", "invalid-json", "");
	assert_refused("GET / HTTP/1.1", "invalid-json", "");
	assert_refused("[]", "not-an-object", "");
	assert_refused("{}", "hello-expected", "type");
	assert_refused("{\"type\":null}", "hello-expected", "type");
	assert_refused("{\"type\":1}", "hello-expected", "type");
	assert_refused("{\"type\":\"hell\"}", "hello-expected", "type");
	assert_refused("{\"type\":\"hello-ok\"}", "hello-expected", "type");
	assert_refused(
	    "{\"type\":\"request\",\"id\":\"1\",\"method\":\"health\"}", "hello-expected", "type");
	assert_refused("{\"type\":\"hello\"}", "missing-field", "minProtocol");
}

static void
test_versions(void **state)
{
	static const char *const mismatches[] = {
		"{\"type\":\"hello\",\"minProtocol\":2,\"maxProtocol\":3," CLIENT "}",
		"{\"type\":\"hello\",\"minProtocol\":0,\"maxProtocol\":0," CLIENT "}",
		"{\"type\":\"hello\",\"minProtocol\":9007199254740992,"
		"\"maxProtocol\":9007199254740992," CLIENT "}",
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(mismatches); i++)
		assert_refused(mismatches[i], "protocol-mismatch", "");
	assert_refused("{\"type\":\"hello\",\"minProtocol\":2,\"maxProtocol\":1," CLIENT "}",
	    "invalid-field", "minProtocol");
	assert_refused("{\"type\":\"hello\",\"minProtocol\":\"1\",\"maxProtocol\":1," CLIENT "}",
	    "invalid-field", "minProtocol");
	assert_refused("{\"type\":\"hello\",\"minProtocol\":1.0,\"maxProtocol\":1," CLIENT "}",
	    "invalid-field", "minProtocol");
	assert_refused("{\"type\":\"hello\",\"minProtocol\":1,\"maxProtocol\":1e0," CLIENT "}",
	    "invalid-field", "maxProtocol");
	assert_refused("{\"type\":\"hello\",\"minProtocol\":1,\"maxProtocol\":null," CLIENT "}",
	    "missing-field", "maxProtocol");
	assert_refused("{\"type\":\"hello\",\"minProtocol\":-1,\"maxProtocol\":1," CLIENT "}",
	    "invalid-field", "minProtocol");
	/* What is wrong with the rest is said first. */
	assert_refused(
	    "{\"type\":\"hello\",\"minProtocol\":2,\"maxProtocol\":3}", "missing-field", "client");
}

/* A hello whose client lacks nothing but differs in one member. */
static void
assert_client_refused(const char *member, const char *value, const char *reason)
{
	static const char *const names[] = { "id", "version", "platform", "mode" };
	char text[1024], field[64];
	size_t n = 0, i;

	n += (size_t)sprintf(text, HEAD "\"client\":{\"x\":0");
	for (i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(names[i], member) != 0)
			n += (size_t)sprintf(text + n, ",\"%s\":\"web\"", names[i]);
	}
	if (value != NULL)
		n += (size_t)sprintf(text + n, ",\"%s\":%s", member, value);
	(void)sprintf(text + n, "}}");
	(void)snprintf(field, sizeof(field), "client.%s", member);
	assert_refused(text, reason, field);
}

static void
test_client(void **state)
{
	static const char *const names[] = { "id", "version", "platform", "mode", "displayName" };
	char too_long[160];
	size_t i;

	(void)state;
	memset(too_long, 'x', sizeof(too_long));
	too_long[0] = too_long[130] = '"';
	too_long[131] = '\0';
	for (i = 0; i < ARRAY_LEN(names); i++) {
		if (i < 4)
			assert_client_refused(names[i], NULL, "missing-field");
		if (i < 4)
			assert_client_refused(names[i], "null", "missing-field");
		assert_client_refused(names[i], "7", "invalid-field");
		assert_client_refused(names[i], "[\"a\"]", "invalid-field");
		assert_client_refused(names[i], "\"\"", "invalid-field");
		assert_client_refused(names[i], "\"\\ud800\"", "invalid-field");
		assert_client_refused(names[i], too_long, "invalid-field");
	}
	assert_client_refused("mode", "\"Web\"", "invalid-field");
	assert_refused(HEAD "\"client\":\"me\"}", "invalid-field", "client");
	assert_refused(HEAD "\"client\":[]}", "invalid-field", "client");
	assert_refused(HEAD "\"client\":{\"id\":\"a\",\"i\\u0064\":\"a\"}}", "duplicate-key",
	    "client.i\\u0064");
	assert_refused(HELLO "," CLIENT "}", "duplicate-key", "client");
}

static void
test_optional_parts(void **state)
{
	static const struct {
		const char *text, *reason, *field;
	} cases[] = {
		{ HELLO ",\"caps\":\"a\"}", "invalid-field", "caps" },
		{ HELLO ",\"caps\":{}}", "invalid-field", "caps" },
		{ HELLO ",\"caps\":[\"a\",\"\"]}", "invalid-field", "caps[1]" },
		{ HELLO ",\"caps\":[3]}", "invalid-field", "caps[0]" },
		{ HELLO ",\"caps\":[null]}", "invalid-field", "caps[0]" },
		{ HELLO ",\"auth\":\"token\"}", "invalid-field", "auth" },
		{ HELLO ",\"auth\":{\"token\":1}}", "invalid-field", "auth.token" },
		{ HELLO ",\"auth\":{\"password\":[]}}", "invalid-field", "auth.password" },
		{ HELLO ",\"auth\":{\"token\":\"a\",\"token\":\"b\"}}", "duplicate-key",
		    "auth.token" },
		{ HELLO ",\"subscribe\":[\"*\"]}", "invalid-field", "subscribe" },
		{ HELLO ",\"subscribe\":{\"events\":\"*\"}}", "invalid-field", "subscribe.events" },
		{ HELLO ",\"subscribe\":{\"events\":[\"*\",\"a b\"]}}", "invalid-field",
		    "subscribe.events[1]" },
		{ HELLO ",\"subscribe\":{\"sessionKeys\":[\"\"]}}", "invalid-field",
		    "subscribe.sessionKeys[0]" },
		{ HELLO ",\"subscribe\":{\"x\":1,\"x\":1}}", "duplicate-key", "subscribe.x" },
		{ HELLO ",\"resume\":7}", "invalid-field", "resume" },
		{ HELLO ",\"resume\":{}}", "missing-field", "resume.epoch" },
		{ HELLO ",\"resume\":{\"epoch\":\"a\"}}", "missing-field", "resume.seq" },
		{ HELLO ",\"resume\":{\"epoch\":1,\"seq\":1}}", "invalid-field", "resume.epoch" },
		{ HELLO ",\"resume\":{\"epoch\":\"\",\"seq\":1}}", "invalid-field",
		    "resume.epoch" },
		{ HELLO ",\"resume\":{\"epoch\":\"a\",\"seq\":-1}}", "invalid-field",
		    "resume.seq" },
		{ HELLO ",\"resume\":{\"epoch\":\"a\",\"seq\":9007199254740993}}", "invalid-field",
		    "resume.seq" },
		{ HELLO ",\"resume\":{\"seq\":1,\"epoch\":\"a\",\"seq\":1}}", "duplicate-key",
		    "resume.seq" },
		{ HELLO ",\"x\":1,\"x\":2}", "duplicate-key", "x" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++)
		assert_refused(cases[i].text, cases[i].reason, cases[i].field);
}

/* A hello with n capabilities and a token of n_token bytes. */
static int
parse_sized(size_t n_caps, size_t n_token)
{
	size_t len = 0, i;
	char *text = malloc(n_caps * 8 + n_token + 512);
	struct envelope_fault fault;
	struct hello *hello = NULL;
	int r;

	assert_non_null(text);
	len += (size_t)sprintf(text, HELLO ",\"caps\":[");
	for (i = 0; i < n_caps; i++)
		len += (size_t)sprintf(text + len, "%s\"c%zu\"", i > 0 ? "," : "", i);
	len += (size_t)sprintf(text + len, "],\"auth\":{\"token\":\"");
	memset(text + len, 't', n_token);
	len += n_token;
	len += (size_t)sprintf(text + len, "\"}}");
	r = parse(span_make(text, len), &hello, &fault);
	hello_free(hello);
	free(text);
	return r;
}

static void
test_bounds(void **state)
{
	(void)state;
	assert_int_equal(parse_sized(64, 4096), 0);
	assert_int_equal(parse_sized(65, 0), -EBADMSG);
	assert_int_equal(parse_sized(0, 4097), -EBADMSG);
}

static void
attempt(void *arg)
{
	struct envelope_fault fault;
	struct hello *hello = NULL;
	int r = parse(span_cstr(full), &hello, &fault);

	(void)arg;
	assert_true(r == 0 || r == -ENOMEM);
	assert_true((r == 0) == (hello != NULL));
	hello_free(hello);
}

static void
test_no_memory(void **state)
{
	(void)state;
	assert_true(support_alloc_try_each(attempt, NULL) >= 4);
}

static void
test_mode_names(void **state)
{
	(void)state;
	assert_string_equal(hello_mode_name(HELLO_MODE_APP), "app");
	assert_string_equal(hello_mode_name(HELLO_MODE_WEB), "web");
	assert_string_equal(hello_mode_name(HELLO_MODE_CLI), "cli");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_minimal),
		cmocka_unit_test(test_snake_case),
		cmocka_unit_test(test_not_a_hello),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_client),
		cmocka_unit_test(test_optional_parts),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_mode_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
