/*
 * Members of the top object: found by name, alias and unescaped key; equal keys, few and many, in
 * any spelling; bounds. And the values of strings.
 */
#include "support_cmocka.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"

enum { ID, TYPE, KEY, COUNT };

static const struct json_field fields[COUNT] = {
	[ID] = { "id", NULL },
	[TYPE] = { "type", NULL },
	[KEY] = { "sessionKey", "session_key" },
};

static int
scan(const char *text, struct json_value values[COUNT], struct json_fault *fault)
{
	return json_object_scan(span_cstr(text), fields, COUNT, values, JSON_KEYS_MAX, fault);
}

static void
assert_value(const struct json_value *value, enum json_kind kind, const char *text)
{
	assert_int_equal(value->kind, kind);
	assert_true(span_is(value->text, text));
}

static void
test_finds_members(void **state)
{
	struct json_value values[COUNT];
	struct json_fault fault;

	(void)state;
	assert_int_equal(scan("{}", values, &fault), 0);
	assert_value(&values[ID], JSON_ABSENT, "");
	assert_value(&values[KEY], JSON_ABSENT, "");
	assert_int_equal(
	    scan(" { \"x\" : {\"id\":1} , \"id\" : \"a\" , \"type\":null} ", values, &fault), 0);
	assert_value(&values[ID], JSON_STRING, "\"a\"");
	assert_value(&values[TYPE], JSON_NULL, "null");
	assert_value(&values[KEY], JSON_ABSENT, "");
	assert_int_equal(
	    scan("{\"id\":[1, 2],\"type\":{\"a\" :true},\"sessionKey\":-1.5e3}", values, &fault),
	    0);
	assert_value(&values[ID], JSON_ARRAY, "[1, 2]");
	assert_value(&values[TYPE], JSON_OBJECT, "{\"a\" :true}");
	assert_value(&values[KEY], JSON_NUMBER, "-1.5e3");
	assert_int_equal(scan("{\"id\":true,\"type\":false}", values, &fault), 0);
	assert_value(&values[ID], JSON_BOOL, "true");
	assert_value(&values[TYPE], JSON_BOOL, "false");
}

static void
test_key_spellings(void **state)
{
	struct json_value values[COUNT];
	struct json_fault fault;

	(void)state;
	assert_int_equal(
	    scan("{\"\\u0069d\":1,\"t\\u0079p\\u0065\":2,\"session\\u005fkey\":3}", values, &fault),
	    0);
	assert_value(&values[ID], JSON_NUMBER, "1");
	assert_value(&values[TYPE], JSON_NUMBER, "2");
	assert_value(&values[KEY], JSON_NUMBER, "3");
	/* Near misses are other keys. */
	assert_int_equal(scan("{\"ID\":1,\"i\":1,\"idd\":1,\"\":1,\"id\\u0000\":1,\"\\u0049d\":1,"
			      "\"i\\\\u0064\":1,\"sessionkey\":1,\"session-key\":1}",
			     values, &fault),
	    0);
	assert_value(&values[ID], JSON_ABSENT, "");
	assert_value(&values[KEY], JSON_ABSENT, "");
}

static void
test_not_an_object(void **state)
{
	static const char *const texts[] = { "[]", "1", "\"id\"", "null", " true ",
		"[{\"id\":1}]" };
	struct json_value values[COUNT];
	struct json_fault fault;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(scan(texts[i], values, &fault), -EPROTOTYPE);
		assert_int_equal(values[ID].kind, JSON_ABSENT);
	}
	/* What is not even JSON is told so. */
	assert_int_equal(scan("[1,]", values, &fault), -EBADMSG);
	assert_int_equal(fault.offset, 3);
	assert_int_equal(scan("", values, &fault), -EBADMSG);
	assert_int_equal(scan("[] {}", values, &fault), -EBADMSG);
}

static void
assert_duplicate(const char *text, const char *key, size_t offset)
{
	struct json_value values[COUNT];
	struct json_fault fault;

	if (scan(text, values, &fault) != -EEXIST)
		fail_msg("no duplicate in %s", text);
	assert_true(span_is(fault.key, key));
	assert_int_equal(fault.offset, offset);
	assert_non_null(fault.text);
}

static void
test_duplicates(void **state)
{
	(void)state;
	assert_duplicate("{\"id\":1,\"id\":1}", "id", 9);
	assert_duplicate("{\"id\":1,\"\\u0069d\":1}", "\\u0069d", 9);
	assert_duplicate("{\"i\\u0064\":1,\"\\u0069d\":1}", "\\u0069d", 14);
	assert_duplicate("{\"id\":null,\"id\":null}", "id", 12);
	assert_duplicate("{\"sessionKey\":1,\"session_key\":1}", "session_key", 17);
	assert_duplicate(
	    "{\"session_key\":1,\"x\":2,\"session\\u004bey\":1}", "session\\u004bey", 24);
	assert_duplicate("{\"x\":1,\"id\":2,\"x\":3}", "x", 15);
	assert_duplicate("{\"\":1,\"\":2}", "", 7);
	assert_duplicate("{\"\\u00e9\":1,\"\xc3\xa9\":2}", "\xc3\xa9", 13);
	assert_duplicate("{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\uDE00\":2}", "\\ud83d\\uDE00", 11);
	assert_duplicate("{\"\\ud800\":1,\"\\uD800\":2}", "\\uD800", 13);
	assert_duplicate("{\"a\\/b\":1,\"a/b\":2}", "a/b", 11);
	assert_duplicate("{\"\\n\":1,\"\\u000A\":2}", "\\u000A", 9);
	/* The first of several. */
	assert_duplicate("{\"a\":1,\"b\":1,\"b\":1,\"a\":1}", "b", 14);
}

static void
test_no_duplicates(void **state)
{
	struct json_value values[COUNT];
	struct json_fault fault;

	(void)state;
	assert_int_equal(
	    scan("{\"a\":{\"b\":1,\"b\":2},\"b\":[{\"a\":1,\"a\":1}]}", values, &fault), 0);
	assert_int_equal(
	    scan("{\"a\":1,\"A\":2,\"\\u0000\":3,\"\":4,\"a\\u0000\":5}", values, &fault), 0);
	assert_int_equal(scan("{\"\\ud800\":1,\"\\ud801\":2,\"\\udc00\":3}", values, &fault), 0);
	/* A pair is not its halves in two keys. */
	assert_int_equal(
	    scan("{\"\\ud83d\\ude00\":1,\"\\ud83d\":2,\"\\ude00\":3}", values, &fault), 0);
	assert_int_equal(scan("{\"a\\\\n\":1,\"a\\n\":2}", values, &fault), 0);
}

/* What came twice is not delivered, what came once is. */
static void
test_values_beside_duplicates(void **state)
{
	struct json_value values[COUNT];
	struct json_fault fault;

	(void)state;
	assert_int_equal(
	    scan("{\"id\":\"a\",\"x\":1,\"x\":2,\"type\":3}", values, &fault), -EEXIST);
	assert_value(&values[ID], JSON_STRING, "\"a\"");
	assert_value(&values[TYPE], JSON_NUMBER, "3");
	assert_int_equal(scan("{\"id\":1,\"type\":3,\"id\":2,\"id\":4}", values, &fault), -EEXIST);
	assert_value(&values[TYPE], JSON_NUMBER, "3");
	assert_int_equal(values[ID].kind, JSON_ABSENT);
	/* Bad JSON behind a duplicate is bad JSON, and delivers nothing. */
	assert_int_equal(scan("{\"id\":1,\"x\":1,\"x\":2", values, &fault), -EBADMSG);
	assert_int_equal(values[ID].kind, JSON_ABSENT);
}

/* Writes {"PREFIX0":0,…} with n keys, and tail before the brace; ends with a NUL. */
static char *
many_keys(unsigned n, const char *prefix, const char *tail)
{
	char *text = malloc(n * (strlen(prefix) + 16) + strlen(tail) + 16), *at = text;
	unsigned i;

	assert_non_null(text);
	*at++ = '{';
	for (i = 0; i < n; i++)
		at += sprintf(at, "%s\"%s%u\":%u", i > 0 ? "," : "", prefix, i, i);
	sprintf(at, "%s}", tail);
	return text;
}

static void
test_many_keys(void **state)
{
	struct json_value values[COUNT];
	struct json_fault fault;
	unsigned n;
	char *text;

	(void)state;
	for (n = 1; n < 1024; n += n < 40 ? 1 : 97) {
		text = many_keys(n, "k", "");
		assert_int_equal(scan(text, values, &fault), 0);
		free(text);
		text = many_keys(n, "k", ",\"\\u006b0\":0");
		assert_int_equal(scan(text, values, &fault), -EEXIST);
		assert_true(span_is(fault.key, "\\u006b0"));
		assert_true(fault.key.p == text + fault.offset);
		free(text);
		text = many_keys(n, "k", ",\"id\":7,\"id\":8");
		assert_int_equal(scan(text, values, &fault), n + 2 > 1024 ? -E2BIG : -EEXIST);
		free(text);
	}
}

static void
test_many_duplicates_names_the_first(void **state)
{
	struct json_value values[COUNT];
	struct json_fault fault;
	char *text = many_keys(500, "a-rather-long-prefix-of-a-key-",
	    ",\"a-rather-long-prefix-of-a-key-400\":1,\"a-rather-long-prefix-of-a-key-3\":1,"
	    "\"a-rather-long-prefix-of-a-key-400\":1");

	(void)state;
	assert_int_equal(scan(text, values, &fault), -EEXIST);
	assert_span(fault.key, "a-rather-long-prefix-of-a-key-400");
	assert_int_equal(
	    fault.offset, strstr(text, ",\"a-rather-long-prefix-of-a-key-400\":1,") - text + 2);
	free(text);
}

static void
test_too_many_keys(void **state)
{
	struct json_value values[COUNT];
	struct json_fault fault;
	char *text = many_keys(1023, "k", ",\"id\":\"x\"");

	(void)state;
	assert_int_equal(scan(text, values, &fault), 0);
	free(text);
	text = many_keys(1024, "k", ",\"id\":\"x\"");
	assert_int_equal(scan(text, values, &fault), -E2BIG);
	assert_value(&values[ID], JSON_STRING, "\"x\"");
	text[strlen(text) - 1] = ']';
	assert_int_equal(scan(text, values, &fault), -EBADMSG);
	free(text);
	assert_int_equal(
	    json_object_scan(SPAN("{\"a\":1,\"b\":2}"), fields, COUNT, values, 2, &fault), 0);
	assert_int_equal(
	    json_object_scan(SPAN("{\"a\":1,\"b\":2}"), fields, COUNT, values, 1, &fault), -E2BIG);
	assert_int_equal(json_object_scan(SPAN("{}"), fields, COUNT, values, 0, &fault), 0);
	assert_int_equal(
	    json_object_scan(SPAN("{}"), fields, COUNT, values, JSON_KEYS_MAX + 1, &fault),
	    -EINVAL);
}

static void
assert_decodes(const char *text, struct span wanted)
{
	struct span string = span_cstr(text);
	struct buf buf = { 0 };
	char out[64];
	size_t len = 77, i;

	assert_int_equal(json_string_decoded_length(string), wanted.n);
	assert_int_equal(json_string_decode(string, out, wanted.n, &len), 0);
	assert_true(span_is_equal(span_make(out, len), wanted));
	for (i = 0; i < wanted.n; i++)
		assert_int_equal(json_string_decode(string, out, i, &len), -ENOSPC);
	buf_append_cstr(&buf, "<");
	assert_int_equal(json_string_append(&buf, string), 0);
	assert_int_equal(buf.len, wanted.n + 1);
	assert_true(span_is_equal(span_skip(buf_span(&buf), 1), wanted));
	assert_int_equal(json_string_is_plain(string), strchr(text, '\\') == NULL);
	buf_fini(&buf);
}

static void
test_string_decode(void **state)
{
	(void)state;
	assert_decodes("\"\"", SPAN(""));
	assert_decodes("\"plain\"", SPAN("plain"));
	assert_decodes("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", SPAN("\"\\/\b\f\n\r\t"));
	assert_decodes("\"a\\u0000b\"", SPAN("a\0b"));
	assert_decodes("\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"",
	    SPAN("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"));
	assert_decodes(
	    "\"\\ud800\\udc00\\uDBFF\\uDFFF\"", SPAN("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"));
	assert_decodes("\"\\ud7ff\\ue000\"", SPAN("\xed\x9f\xbf\xee\x80\x80"));
	assert_decodes("\"x\\u20acy\xe2\x82\xac\"", SPAN("x\xe2\x82\xacy\xe2\x82\xac"));
	assert_decodes("\"\\\\u0041\"", SPAN("\\u0041"));
	assert_decodes("\"\\\\\\u0041\"", SPAN("\\A"));
}

static void
test_string_refused(void **state)
{
	static const char *const lone[] = { "\"\\ud800\"", "\"\\udfff\"", "\"\\ud800x\"",
		"\"\\ud800\\n\"", "\"\\ud800\\ud800\"", "\"\\udc00\\ud800\"", "\"\\ud83d\\u0041\"",
		"\"ok \\ud83d\\ude00 \\ud83d\"" };
	struct buf buf = { 0 };
	char out[64];
	size_t len = 77, i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(lone); i++) {
		assert_int_equal(
		    json_string_decode(span_cstr(lone[i]), out, sizeof(out), &len), -EILSEQ);
		assert_int_equal(json_string_append(&buf, span_cstr(lone[i])), -EILSEQ);
		assert_int_equal(buf.len, 0);
	}
	assert_int_equal(json_string_decoded_length(SPAN("\"\\ud800\"")), 3);
	assert_int_equal(json_string_decode(SPAN("12"), out, sizeof(out), &len), -EINVAL);
	assert_int_equal(json_string_decode(SPAN("\""), out, sizeof(out), &len), -EINVAL);
	assert_int_equal(json_string_append(&buf, SPAN("[]")), -EINVAL);
	assert_int_equal(json_string_decoded_length(SPAN("null")), 0);
	assert_false(json_string_is_plain(SPAN("null")));
	assert_int_equal(len, 77);
	assert_int_equal(buf_status(&buf), 0);
	buf_fini(&buf);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finds_members),
		cmocka_unit_test(test_key_spellings),
		cmocka_unit_test(test_not_an_object),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_no_duplicates),
		cmocka_unit_test(test_values_beside_duplicates),
		cmocka_unit_test(test_many_keys),
		cmocka_unit_test(test_many_duplicates_names_the_first),
		cmocka_unit_test(test_too_many_keys),
		cmocka_unit_test(test_string_decode),
		cmocka_unit_test(test_string_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
