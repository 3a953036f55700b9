/*
 * What the gateway answers, byte by byte.
 */
#include "support_cmocka.h"

#include <errno.h>
#include <string.h>

#include "proto/reply.h"
#include "support_alloc.h"

static struct buf out;

static int
setup(void **state)
{
	(void)state;
	out = (struct buf){ 0 };
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	buf_fini(&out);
	return 0;
}

static void
test_codes_have_their_names(void **state)
{
	static const char *const names[] = { "NOT_LINKED", "NOT_PAIRED", "AGENT_TIMEOUT",
		"INVALID_REQUEST", "UNAVAILABLE", "METHOD_NOT_FOUND", "INTERNAL_ERROR" };

	(void)state;
	assert_int_equal(ERROR_CODE_COUNT, sizeof(names) / sizeof(names[0]));
	for (int i = 0; i < ERROR_CODE_COUNT; i++)
		assert_string_equal(error_code_name((enum error_code)i), names[i]);
}

static void
test_result(void **state)
{
	(void)state;
	reply_result(&out, SPAN("req-\"1\""), SPAN("{\"a\":9007199254740993, \"a\":1e300}"));
	assert_span(buf_span(&out), "{\"id\":\"req-\\\"1\\\"\",\"type\":\"response\","
				    "\"result\":{\"a\":9007199254740993, \"a\":1e300}}");
}

static void
test_error_without_details(void **state)
{
	const struct reply_error error = { .code = ERROR_METHOD_NOT_FOUND,
		.message = "Method not found: nope" };

	(void)state;
	reply_error(&out, SPAN("req-123"), &error);
	assert_span(buf_span(&out),
	    "{\"id\":\"req-123\",\"type\":\"response\",\"error\":"
	    "{\"code\":\"METHOD_NOT_FOUND\",\"message\":\"Method not found: nope\"}}");
}

static void
test_error_with_all_details(void **state)
{
	const struct reply_error error = { .code = ERROR_INVALID_REQUEST,
		.reason = "rate-limited",
		.field = "client.mode",
		.retryable = true,
		.retry_after_ms = 250,
		.message = "Say \"x\"." };

	(void)state;
	reply_error(&out, span_make(NULL, 0), &error);
	assert_span(buf_span(&out),
	    "{\"id\":\"\",\"type\":\"response\",\"error\":{\"code\":\"INVALID_REQUEST\","
	    "\"message\":\"Say \\\"x\\\".\",\"details\":{\"reason\":\"rate-limited\","
	    "\"field\":\"client.mode\",\"retryable\":true,\"retryAfterMs\":250}}}");
}

static void
test_unavailable_is_always_retryable(void **state)
{
	const struct reply_error error = { .code = ERROR_UNAVAILABLE, .message = "Full." };

	(void)state;
	reply_error(&out, SPAN("1"), &error);
	assert_span(buf_span(&out), "{\"id\":\"1\",\"type\":\"response\",\"error\":"
				    "{\"code\":\"UNAVAILABLE\",\"message\":\"Full.\","
				    "\"details\":{\"retryable\":true}}}");
}

static void
test_hello_error(void **state)
{
	struct reply_error error = { .code = ERROR_INVALID_REQUEST, .message = "Too old." };

	(void)state;
	reply_hello_error(&out, &error, false);
	assert_span(buf_span(&out), "{\"type\":\"hello-error\",\"error\":"
				    "{\"code\":\"INVALID_REQUEST\",\"message\":\"Too old.\"}}");
	buf_reset(&out);
	error.reason = "protocol-mismatch";
	reply_hello_error(&out, &error, true);
	assert_span(buf_span(&out),
	    "{\"type\":\"hello-error\",\"error\":{\"code\":\"INVALID_REQUEST\","
	    "\"message\":\"Too old.\",\"details\":{\"reason\":\"protocol-mismatch\","
	    "\"supported\":[1,1]}}}");
}

static void
test_shape_as_a_value(void **state)
{
	const struct reply_error error = { .code = ERROR_INTERNAL_ERROR, .message = "m" };
	struct jsonw w;

	(void)state;
	jsonw_init(&w, &out);
	jsonw_array(&w);
	reply_error_shape(&w, &error);
	reply_error_shape(&w, &error);
	jsonw_array_end(&w);
	assert_span(buf_span(&out), "[{\"code\":\"INTERNAL_ERROR\",\"message\":\"m\"},"
				    "{\"code\":\"INTERNAL_ERROR\",\"message\":\"m\"}]");
}

static void
test_saying(void **state)
{
	struct reply_error error = { 0 };
	char text[400];

	(void)state;
	reply_error_say(&error, "%s must be at most %d bytes", "id", 128);
	assert_string_equal(error.message, "id must be at most 128 bytes");
	memset(text, 'm', sizeof(text));
	text[255] = '\0';
	reply_error_say(&error, "%s", text);
	assert_string_equal(error.message, text);
	text[255] = 'm';
	text[256] = '\0';
	reply_error_say(&error, "%s", text);
	assert_int_equal(strlen(error.message), 255);
	assert_string_equal(error.message + 250, "mm...");
}

static void
test_cutting_at_a_character(void **state)
{
	struct reply_error error = { 0 };
	char text[400];

	(void)state;
	for (size_t i = 0; i < 99; i++)
		memcpy(text + 1 + 4 * i, "\xf0\x9f\x98\x80", 4);
	text[0] = 'x';
	text[397] = '\0';
	reply_error_say(&error, "%s", text);
	/* 1 + 62 * 4 = 249 bytes are the most that leave room for the dots. */
	assert_int_equal(strlen(error.message), 252);
	assert_memory_equal(error.message, text, 249);
	assert_string_equal(error.message + 249, "...");
}

static void
test_failure_sticks(void **state)
{
	const struct reply_error error = { .code = ERROR_INTERNAL_ERROR, .message = "m" };

	(void)state;
	support_alloc_fail_at(2);
	reply_error(&out, SPAN("a"), &error);
	assert_int_equal(buf_status(&out), -ENOMEM);
	support_alloc_fail_at(0);
}

static void
write_hello_error(struct buf *to, void *arg)
{
	reply_hello_error(to, arg, true);
}

static void
test_breaking_off_anywhere(void **state)
{
	struct reply_error error = {
		.code = ERROR_UNAVAILABLE,
		.reason = "r",
		.field = "f",
		.retryable = true,
		.retry_after_ms = 5,
		.message = "m",
	};

	(void)state;
	reply_hello_error(&out, &error, true);
	assert_int_equal(support_alloc_break_off(write_hello_error, &error), out.len);
}

#define reply_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void
test_statuses(void **state)
{
	static const struct {
		enum error_code code;
		const char *reason;
		int status;
	} cases[] = {
		{ ERROR_INVALID_REQUEST, NULL, 400 },
		{ ERROR_INVALID_REQUEST, "invalid-field", 400 },
		{ ERROR_INVALID_REQUEST, "idempotency-mismatch", 400 },
		{ ERROR_INVALID_REQUEST, "unauthorized", 401 },
		{ ERROR_INVALID_REQUEST, "forbidden", 403 },
		{ ERROR_INVALID_REQUEST, "not-found", 404 },
		{ ERROR_INVALID_REQUEST, "too-large", 413 },
		{ ERROR_NOT_PAIRED, NULL, 403 },
		{ ERROR_METHOD_NOT_FOUND, NULL, 404 },
		{ ERROR_UNAVAILABLE, NULL, 503 },
		{ ERROR_UNAVAILABLE, "shutting-down", 503 },
		{ ERROR_UNAVAILABLE, "rate-limited", 429 },
		{ ERROR_UNAVAILABLE, "too-many-in-flight", 429 },
		{ ERROR_NOT_LINKED, NULL, 503 },
		{ ERROR_AGENT_TIMEOUT, "timeout", 504 },
		{ ERROR_INTERNAL_ERROR, "out-of-memory", 500 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct reply_error error = { .code = cases[i].code,
			.reason = cases[i].reason };

		assert_int_equal(reply_error_status(&error), cases[i].status);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		reply_test(test_codes_have_their_names),
		reply_test(test_result),
		reply_test(test_error_without_details),
		reply_test(test_error_with_all_details),
		reply_test(test_unavailable_is_always_retryable),
		reply_test(test_hello_error),
		reply_test(test_shape_as_a_value),
		reply_test(test_saying),
		reply_test(test_cutting_at_a_character),
		reply_test(test_failure_sticks),
		reply_test(test_breaking_off_anywhere),
		cmocka_unit_test(test_statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
