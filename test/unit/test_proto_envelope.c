/*
 * Frames of clients: what each type must and may have, and for each fault its reason, its field and
 * a sentence, under the frame's own id where that is usable.
 */
#include "support_cmocka.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "proto/envelope.h"
#include "proto/jsonvalue.h"
#include "proto/utf8.h"

struct refusal {
	const char *text, *id, *reason, *field;
};

/* Parses a copy that has no spare byte behind it; the copy is kept in *ret_copy. */
static int
parse(struct span text, struct envelope *ret, struct envelope_fault *fault, char **ret_copy)
{
	*ret_copy = malloc(text.n > 0 ? text.n : 1);
	assert_non_null(*ret_copy);
	memcpy(*ret_copy, text.p, text.n);
	memset(ret, 0xa5, sizeof(*ret));
	return envelope_parse(span_make(*ret_copy, text.n), ret, fault);
}

static void
assert_refused(const struct refusal *wanted)
{
	struct envelope_fault fault;
	struct envelope envelope;
	char *copy;

	if (parse(span_cstr(wanted->text), &envelope, &fault, &copy) != -EBADMSG)
		fail_msg("accepted: %s", wanted->text);
	if (!span_is(envelope.id, wanted->id))
		fail_msg("id %.*s: %s", SPAN_ARGS(envelope.id), wanted->text);
	assert_int_equal(fault.code, ERROR_INVALID_REQUEST);
	if (strcmp(fault.reason, wanted->reason) != 0 || strcmp(fault.field, wanted->field) != 0)
		fail_msg("%s %s (%s): %s", fault.reason, fault.field, fault.sentence, wanted->text);
	assert_true(fault.sentence[0] != '\0');
	assert_int_equal(fault.sentence[strlen(fault.sentence) - 1], '.');
	free(copy);
}

static void
assert_all_refused(const struct refusal *wanted, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		assert_refused(&wanted[i]);
}

static void
test_request(void **state)
{
	static const struct span text =
	    SPAN_INIT("{\"id\":\"req-123\",\"type\":\"request\",\"method\":\"sessions.list\","
		      "\"params\":{ \"a\":[1,{\"a\":1,\"a\":1e300}]},\"sessionKey\":\"t:1:main\","
		      "\"timeoutMs\":1500,\"idempotencyKey\":\"k-1\",\"extra\":[],\"payload\":1,"
		      "\"result\":2,\"error\":3}");
	struct envelope_fault fault;
	struct envelope envelope;
	char *copy;
	size_t n;

	(void)state;
	assert_int_equal(parse(text, &envelope, &fault, &copy), 0);
	assert_int_equal(envelope.type, ENVELOPE_REQUEST);
	assert_span(envelope.id, "req-123");
	assert_span(envelope.method, "sessions.list");
	assert_span(envelope.session_key, "t:1:main");
	assert_span(envelope.idempotency_key, "k-1");
	assert_int_equal(envelope.timeout_ms, 1500);
	assert_span(envelope.params.text, "{ \"a\":[1,{\"a\":1,\"a\":1e300}]}");
	assert_int_equal(envelope.payload.kind, JSON_ABSENT);
	assert_int_equal(envelope.result.kind, JSON_ABSENT);
	assert_int_equal(envelope.error.kind, JSON_ABSENT);
	/* The short fields outlive the text. */
	memset(copy, '#', text.n);
	assert_span(envelope.id, "req-123");
	assert_span(envelope.method, "sessions.list");
	free(copy);
	for (n = 0; n < text.n; n++) {
		assert_int_equal(parse(span_make(text.p, n), &envelope, &fault, &copy), -EBADMSG);
		assert_string_equal(fault.reason, "invalid-json");
		assert_int_equal(envelope.id.n, 0);
		free(copy);
	}
}

static void
test_request_with_little(void **state)
{
	struct envelope_fault fault;
	struct envelope envelope;
	char *copy;

	(void)state;
	assert_int_equal(parse(SPAN("{\"type\":\"request\",\"id\":\"1\",\"method\":\"health\"}"),
			     &envelope, &fault, &copy),
	    0);
	assert_int_equal(envelope.params.kind, JSON_ABSENT);
	assert_int_equal(envelope.session_key.n, 0);
	assert_int_equal(envelope.idempotency_key.n, 0);
	assert_int_equal(envelope.timeout_ms, ENVELOPE_TIMEOUT_MS_DEFAULT);
	free(copy);
	assert_int_equal(parse(SPAN("{\"type\":\"request\",\"id\":\"1\",\"method\":\"health\","
				    "\"params\":null,\"session_key\":null,\"timeoutMs\":null,"
				    "\"idempotencyKey\":null}"),
			     &envelope, &fault, &copy),
	    0);
	assert_int_equal(envelope.params.kind, JSON_ABSENT);
	assert_int_equal(envelope.session_key.n, 0);
	assert_int_equal(envelope.timeout_ms, ENVELOPE_TIMEOUT_MS_DEFAULT);
	free(copy);
	assert_int_equal(parse(SPAN("{\"t\\u0079pe\":\"re\\u0071uest\",\"id\":\"\\ud83d\\ude00\","
				    "\"method\":\"hea\\u006cth\",\"session_key\":\"k\\n\","
				    "\"timeoutMs\":600000}"),
			     &envelope, &fault, &copy),
	    0);
	assert_span(envelope.id, "\xf0\x9f\x98\x80");
	assert_span(envelope.method, "health");
	assert_span(envelope.session_key, "k\n");
	assert_int_equal(envelope.timeout_ms, 600000);
	free(copy);
}

static void
test_other_types(void **state)
{
	struct envelope_fault fault;
	struct envelope envelope;
	char *copy;

	(void)state;
	assert_int_equal(
	    parse(SPAN("{\"type\":\"hello\",\"minProtocol\":\"x\"}"), &envelope, &fault, &copy), 0);
	assert_int_equal(envelope.type, ENVELOPE_HELLO);
	assert_int_equal(envelope.id.n, 0);
	free(copy);
	assert_int_equal(parse(SPAN("{\"type\":\"cancel\",\"id\":\"a\",\"params\":1,\"method\":2}"),
			     &envelope, &fault, &copy),
	    0);
	assert_int_equal(envelope.type, ENVELOPE_CANCEL);
	assert_span(envelope.id, "a");
	free(copy);
	assert_int_equal(parse(SPAN("{\"type\":\"progress\",\"id\":\"a\",\"payload\":[1,2]}"),
			     &envelope, &fault, &copy),
	    0);
	assert_int_equal(envelope.type, ENVELOPE_PROGRESS);
	assert_span(envelope.payload.text, "[1,2]");
	free(copy);
}

static void
test_response(void **state)
{
	struct envelope_fault fault;
	struct envelope envelope;
	char *copy;

	(void)state;
	assert_int_equal(parse(SPAN("{\"type\":\"response\",\"id\":\"a\",\"result\":1e300}"),
			     &envelope, &fault, &copy),
	    0);
	assert_int_equal(envelope.type, ENVELOPE_RESPONSE);
	assert_span(envelope.result.text, "1e300");
	assert_int_equal(envelope.error.kind, JSON_ABSENT);
	free(copy);
	assert_int_equal(parse(SPAN("{\"type\":\"response\",\"id\":\"a\",\"result\":null,"
				    "\"error\":{\"code\":\"X\"}}"),
			     &envelope, &fault, &copy),
	    0);
	assert_span(envelope.error.text, "{\"code\":\"X\"}");
	assert_int_equal(envelope.result.kind, JSON_ABSENT);
	free(copy);
	assert_int_equal(parse(SPAN("{\"type\":\"response\",\"id\":\"a\",\"result\":null,"
				    "\"error\":null}"),
			     &envelope, &fault, &copy),
	    0);
	assert_int_equal(envelope.result.kind, JSON_NULL);
	assert_int_equal(envelope.error.kind, JSON_ABSENT);
	free(copy);
}

static void
test_bad_frames(void **state)
{
	static const struct refusal wanted[] = {
		{ "", "", "invalid-json", "" },
		{ "hello", "", "invalid-json", "" },
		{ "{\"id\":\"a\",\"type\":\"cancel\"", "", "invalid-json", "" },
		{ "{\"id\":\"a\",\"type\":\"cancel\"}}", "", "invalid-json", "" },
		{ "[]", "", "not-an-object", "" },
		{ "\"request\"", "", "not-an-object", "" },
		{ "{\"id\":\"a\",\"type\":\"cancel\",\"x\":1,\"x\":1}", "a", "duplicate-key", "x" },
		{ "{\"id\":\"a\",\"type\":\"cancel\",\"id\":\"a\"}", "", "duplicate-key", "id" },
		{ "{\"type\":\"cancel\",\"type\":\"cancel\",\"id\":\"a\"}", "a", "duplicate-key",
		    "type" },
		{ "{}", "", "missing-field", "type" },
		{ "{\"id\":\"a\"}", "a", "missing-field", "type" },
		{ "{\"id\":\"a\",\"type\":null}", "a", "missing-field", "type" },
		{ "{\"id\":\"a\",\"type\":7}", "a", "invalid-field", "type" },
		{ "{\"id\":\"a\",\"type\":\"Request\"}", "a", "unknown-type", "type" },
		{ "{\"id\":\"a\",\"type\":\"\"}", "a", "unknown-type", "type" },
		{ "{\"id\":\"a\",\"type\":\"hello-ok\"}", "a", "unknown-type", "type" },
		{ "{\"id\":\"a\",\"type\":\"event\"}", "a", "unknown-type", "type" },
		{ "{\"id\":\"a\",\"type\":\"request\\ud800\"}", "a", "unknown-type", "type" },
		{ "{\"id\":\"a\",\"type\":\"a very long type, longer than any\"}", "a",
		    "unknown-type", "type" },
	};

	(void)state;
	assert_all_refused(wanted, ARRAY_LEN(wanted));
}

static void
test_bad_ids(void **state)
{
	static const struct refusal wanted[] = {
		{ "{\"type\":\"cancel\"}", "", "missing-field", "id" },
		{ "{\"type\":\"cancel\",\"id\":null}", "", "missing-field", "id" },
		{ "{\"type\":\"cancel\",\"id\":7}", "", "invalid-field", "id" },
		{ "{\"type\":\"cancel\",\"id\":[\"a\"]}", "", "invalid-field", "id" },
		{ "{\"type\":\"cancel\",\"id\":\"\"}", "", "invalid-field", "id" },
		{ "{\"type\":\"cancel\",\"id\":\"\\ud83d\"}", "", "invalid-field", "id" },
		{ "{\"type\":\"request\",\"method\":\"health\"}", "", "missing-field", "id" },
		{ "{\"type\":\"progress\",\"id\":true}", "", "invalid-field", "id" },
		{ "{\"type\":\"response\",\"result\":1}", "", "missing-field", "id" },
	};

	(void)state;
	assert_all_refused(wanted, ARRAY_LEN(wanted));
}

#define REQUEST "{\"type\":\"request\",\"id\":\"a\""

static void
test_bad_requests(void **state)
{
	static const struct refusal wanted[] = {
		{ REQUEST "}", "a", "missing-field", "method" },
		{ REQUEST ",\"method\":null}", "a", "missing-field", "method" },
		{ REQUEST ",\"method\":1}", "a", "invalid-field", "method" },
		{ REQUEST ",\"method\":\"\"}", "a", "invalid-field", "method" },
		{ REQUEST ",\"method\":\".a\"}", "a", "invalid-field", "method" },
		{ REQUEST ",\"method\":\"a..b\"}", "a", "invalid-field", "method" },
		{ REQUEST ",\"method\":\"a b\"}", "a", "invalid-field", "method" },
		{ REQUEST ",\"method\":\"a\\u0000\"}", "a", "invalid-field", "method" },
		{ REQUEST ",\"method\":\"m\",\"params\":[]}", "a", "invalid-field", "params" },
		{ REQUEST ",\"method\":\"m\",\"params\":\"{}\"}", "a", "invalid-field", "params" },
		{ REQUEST ",\"method\":\"m\",\"sessionKey\":1}", "a", "invalid-field",
		    "sessionKey" },
		{ REQUEST ",\"method\":\"m\",\"session_key\":\"\"}", "a", "invalid-field",
		    "sessionKey" },
		{ REQUEST ",\"method\":\"m\",\"sessionKey\":\"\\udfff\"}", "a", "invalid-field",
		    "sessionKey" },
		{ REQUEST ",\"method\":\"m\",\"sessionKey\":\"a\",\"session_key\":\"a\"}", "a",
		    "duplicate-key", "session_key" },
		{ REQUEST ",\"method\":\"m\",\"timeoutMs\":\"1\"}", "a", "invalid-field",
		    "timeoutMs" },
		{ REQUEST ",\"method\":\"m\",\"timeoutMs\":0}", "a", "invalid-field", "timeoutMs" },
		{ REQUEST ",\"method\":\"m\",\"timeoutMs\":-1}", "a", "invalid-field",
		    "timeoutMs" },
		{ REQUEST ",\"method\":\"m\",\"timeoutMs\":1.0}", "a", "invalid-field",
		    "timeoutMs" },
		{ REQUEST ",\"method\":\"m\",\"timeoutMs\":1e3}", "a", "invalid-field",
		    "timeoutMs" },
		{ REQUEST ",\"method\":\"m\",\"timeoutMs\":600001}", "a", "invalid-field",
		    "timeoutMs" },
		{ REQUEST ",\"method\":\"m\",\"timeoutMs\":99999999999999999999999}", "a",
		    "invalid-field", "timeoutMs" },
		{ REQUEST ",\"method\":\"m\",\"idempotencyKey\":\"\"}", "a", "invalid-field",
		    "idempotencyKey" },
		{ REQUEST ",\"method\":\"m\",\"idempotencyKey\":{}}", "a", "invalid-field",
		    "idempotencyKey" },
		{ "{\"type\":\"response\",\"id\":\"a\",\"error\":\"x\"}", "a", "invalid-field",
		    "error" },
		{ "{\"type\":\"response\",\"id\":\"a\",\"error\":{},\"result\":1}", "a",
		    "invalid-field", "error" },
	};

	(void)state;
	assert_all_refused(wanted, ARRAY_LEN(wanted));
}

/* A request whose field has n bytes. */
static int
parse_with_length(const char *field, size_t n, struct envelope *ret, struct envelope_fault *fault)
{
	char text[2048], value[1024];
	char *copy;
	int r;

	memset(value, 'v', n);
	value[n] = '\0';
	(void)snprintf(text, sizeof(text), "{\"type\":\"request\",%s%s\"%s\":\"%s\"}",
	    strcmp(field, "id") != 0 ? "\"id\":\"a\"," : "",
	    strcmp(field, "method") != 0 ? "\"method\":\"m\"," : "", field, value);
	r = parse(span_cstr(text), ret, fault, &copy);
	free(copy);
	return r;
}

static void
test_lengths(void **state)
{
	static const struct {
		const char *field;
		size_t max;
	} cases[] = { { "id", 128 }, { "method", 128 }, { "sessionKey", 256 },
		{ "session_key", 256 }, { "idempotencyKey", 128 } };
	struct envelope_fault fault;
	struct envelope envelope;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(
		    parse_with_length(cases[i].field, cases[i].max, &envelope, &fault), 0);
		assert_int_equal(
		    parse_with_length(cases[i].field, cases[i].max + 1, &envelope, &fault),
		    -EBADMSG);
		assert_string_equal(fault.reason, "invalid-field");
		assert_int_equal(envelope.id.n, i == 0 ? 0 : 1);
	}
	assert_string_equal(
	    fault.sentence, "idempotencyKey is too long; it must be a string of 1 to 128 bytes.");
}

static void
test_sentences(void **state)
{
	struct envelope_fault fault;
	struct envelope envelope;
	char *copy;

	(void)state;
	(void)parse(SPAN("{\"type\":\"cancel\",\"id\":7}"), &envelope, &fault, &copy);
	assert_string_equal(fault.sentence, "id must be a string of 1 to 128 bytes, not a number.");
	free(copy);
	(void)parse(SPAN("{\"type\":\"cancel\"}"), &envelope, &fault, &copy);
	assert_string_equal(
	    fault.sentence, "id is missing; it must be a string of 1 to 128 bytes.");
	free(copy);
	(void)parse(SPAN("{\"a\":[1,]}"), &envelope, &fault, &copy);
	assert_string_equal(fault.sentence,
	    "The frame is not valid JSON at byte 8: a value must be a string, a number, an object, "
	    "an array, true, false or null.");
	free(copy);
	(void)parse(SPAN("{\"b\":1,\"b\":1}"), &envelope, &fault, &copy);
	assert_string_equal(
	    fault.sentence, "The key \"b\" comes twice; each key may come once only.");
	free(copy);
}

/* Whatever the peer's key is, field and sentence stay short and valid UTF-8. */
static void
test_long_duplicate_key(void **state)
{
	struct envelope_fault fault;
	struct envelope envelope;
	char text[1024], key[400];
	size_t n, i;
	char *copy;

	(void)state;
	for (n = 1; n < 120; n++) {
		for (i = 0; i < n; i++)
			memcpy(key + 3 * i, "\xe4\xb8\xad", 3);
		key[3 * n] = '\0';
		(void)snprintf(text, sizeof(text), "{\"%s\":1,\"%s\":2}", key, key);
		assert_int_equal(parse(span_cstr(text), &envelope, &fault, &copy), -EBADMSG);
		assert_string_equal(fault.reason, "duplicate-key");
		assert_true(utf8_is_valid(span_cstr(fault.field)));
		assert_true(utf8_is_valid(span_cstr(fault.sentence)));
		free(copy);
	}
}

static void
test_fault_set_cuts(void **state)
{
	struct envelope_fault fault;
	char text[1000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	envelope_fault_set(&fault, "invalid-field", text, "%s", text);
	assert_int_equal(strlen(fault.field), ENVELOPE_FAULT_FIELD_MAX);
	assert_int_equal(strlen(fault.sentence), ENVELOPE_FAULT_SENTENCE_MAX);
	envelope_fault_set(&fault, "invalid-field", NULL, "%d", 7);
	assert_string_equal(fault.field, "");
	assert_string_equal(fault.sentence, "7");
}

/* The last key of the frame is one more than there may be. */
static void
test_too_many_keys(void **state)
{
	struct buf text = { 0 };
	struct envelope envelope;
	struct envelope_fault fault;
	char *copy;

	(void)state;
	buf_printf(&text, "{\"type\":\"request\"");
	for (unsigned i = 0; i < JSON_KEYS_MAX; i++)
		buf_printf(&text, ",\"k%u\":0", i);
	buf_printf(&text, "}");
	assert_int_equal(parse(buf_span(&text), &envelope, &fault, &copy), -EBADMSG);
	assert_string_equal(fault.reason, "too-many-keys");
	free(copy);
	buf_fini(&text);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_too_many_keys),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_request_with_little),
		cmocka_unit_test(test_other_types),
		cmocka_unit_test(test_response),
		cmocka_unit_test(test_bad_frames),
		cmocka_unit_test(test_bad_ids),
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_long_duplicate_key),
		cmocka_unit_test(test_fault_set_cuts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
