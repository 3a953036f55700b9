/*
 * The JSON scanner: the grammar case by case, every valid case cut at every byte, members of
 * objects, equal keys, elements, strings and integers. Each text is put into a heap block of its
 * exact size, so that a sanitizer sees any read beyond it.
 */
#include "support_cmocka.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"

#define DEEP_MAX 80

static const struct span valid_texts[] = {
	SPAN_INIT("{}"),
	SPAN_INIT("[]"),
	SPAN_INIT("null"),
	SPAN_INIT("true"),
	SPAN_INIT("false"),
	SPAN_INIT("\"\""),
	SPAN_INIT("0"),
	SPAN_INIT("-0"),
	SPAN_INIT("-1"),
	SPAN_INIT("0.0"),
	SPAN_INIT("-0.5"),
	SPAN_INIT("1e5"),
	SPAN_INIT("1E5"),
	SPAN_INIT("1e+5"),
	SPAN_INIT("1e-5"),
	SPAN_INIT("0e0"),
	SPAN_INIT("0e+1"),
	SPAN_INIT("123.456e78"),
	SPAN_INIT("1e300"),
	SPAN_INIT("1e99999999"),
	SPAN_INIT("9007199254740993"),
	SPAN_INIT("1111111111111111111111111111111111111111111111111111111111111111"),
	SPAN_INIT("-237462374673276894279832749832423479823246327846"),
	SPAN_INIT("-0.111111111111111111111111111111111111111111111111111111111e+99"),
	SPAN_INIT(" [] "),
	SPAN_INIT("\t\r\n {\"a\" : [ 1 , 2 ] } \n"),
	SPAN_INIT("[1]"),
	SPAN_INIT("[1,null,true,false,\"\",{},[]]"),
	SPAN_INIT("[[[[[[[[]]]]]]]]"),
	SPAN_INIT("[[],[],{}]"),
	SPAN_INIT("{\"\":0}"),
	SPAN_INIT("{\"a\":{\"a\":{\"a\":[{\"a\":[]}]}}}"),
	SPAN_INIT("{\"a\":1,\"b\":[{\"c\":2},{\"c\":3}],\"d\":{}}"),
	SPAN_INIT("[{\"a\":1,\"a\":2,\"a\":3}]"),
	SPAN_INIT("[{\"a\":0,\"\\u0000\":1}]"),
	SPAN_INIT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
	SPAN_INIT("\"\\u0000\\u001f\\u00e9\\u20AC\\uabcd\\uABCD\""),
	SPAN_INIT("\"\\ud83d\\ude00\""),
	SPAN_INIT("\"\\ud800\""),
	SPAN_INIT("\"\\udc00\\ud800\""),
	SPAN_INIT("\"\\ud800\\n\""),
	SPAN_INIT("\"\\ud800\\u0061\""),
	SPAN_INIT("\"\\\\u0061\""),
	SPAN_INIT("\"/ ' ` # // /* */\""),
	SPAN_INIT("\"\x7f\""),
	SPAN_INIT("\"\xc2\x80\xdf\xbf\""),
	SPAN_INIT("\"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\""),
	SPAN_INIT("\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""),
	SPAN_INIT("\"\xe2\x80\xa8\xe2\x80\xa9\xef\xbb\xbf\""),
	SPAN_INIT("\"1234567\""),
	SPAN_INIT("\"12345678\""),
	SPAN_INIT("\"123456789012345\xe4\xb8\xad\xe6\x96\x87 67890123456789\""),
	SPAN_INIT("\"a long string \\\" with an escape, and then more than eight bytes\""),
};

static const struct span invalid_texts[] = {
	SPAN_INIT(""),
	SPAN_INIT(" "),
	SPAN_INIT("\n"),
	/* numbers */
	SPAN_INIT("123456789012345678901234567890123456789012345678901234567890123456789012345"),
	SPAN_INIT("0.00000000000000000000000000000000000000000000000000000000000000000000000001"),
	SPAN_INIT("11111111111111111111111111111111111111111111111111111111111111111"),
	SPAN_INIT("[-1111111111111111111111111111111111111111111111111111111111111111]"),
	SPAN_INIT("-"),
	SPAN_INIT("+1"),
	SPAN_INIT("01"),
	SPAN_INIT("-01"),
	SPAN_INIT("00"),
	SPAN_INIT("0x1"),
	SPAN_INIT("1."),
	SPAN_INIT(".1"),
	SPAN_INIT("-.1"),
	SPAN_INIT("1.e1"),
	SPAN_INIT("1e"),
	SPAN_INIT("1e+"),
	SPAN_INIT("1e-"),
	SPAN_INIT("1e1.5"),
	SPAN_INIT("1eE2"),
	SPAN_INIT("1+2"),
	SPAN_INIT("- 1"),
	SPAN_INIT("1 000"),
	SPAN_INIT("1_000"),
	SPAN_INIT("0.1.2"),
	SPAN_INIT("1a"),
	SPAN_INIT("--1"),
	SPAN_INIT("Infinity"),
	SPAN_INIT("-Infinity"),
	SPAN_INIT("NaN"),
	SPAN_INIT("nan"),
	SPAN_INIT("\xef\xbc\x91"),
	/* literals */
	SPAN_INIT("True"),
	SPAN_INIT("TRUE"),
	SPAN_INIT("nul"),
	SPAN_INIT("nulll"),
	SPAN_INIT("truefalse"),
	SPAN_INIT("undefined"),
	SPAN_INIT("a"),
	SPAN_INIT("*"),
	SPAN_INIT("]"),
	SPAN_INIT("}"),
	SPAN_INIT(","),
	SPAN_INIT(":"),
	/* arrays */
	SPAN_INIT("["),
	SPAN_INIT("[1"),
	SPAN_INIT("[1,"),
	SPAN_INIT("[1,]"),
	SPAN_INIT("[,1]"),
	SPAN_INIT("[,]"),
	SPAN_INIT("[1,,2]"),
	SPAN_INIT("[1 2]"),
	SPAN_INIT("[1:2]"),
	SPAN_INIT("[1}"),
	SPAN_INIT("[1]]"),
	SPAN_INIT("[\"a\":1]"),
	SPAN_INIT("[][]"),
	SPAN_INIT("[1],"),
	SPAN_INIT("[1]x"),
	SPAN_INIT("[1]\0"),
	SPAN_INIT("[1\0]"),
	/* objects */
	SPAN_INIT("{"),
	SPAN_INIT("{\"a\""),
	SPAN_INIT("{\"a\":"),
	SPAN_INIT("{\"a\":}"),
	SPAN_INIT("{\"a\"}"),
	SPAN_INIT("{\"a\":1"),
	SPAN_INIT("{\"a\":1,"),
	SPAN_INIT("{\"a\":1,}"),
	SPAN_INIT("{,\"a\":1}"),
	SPAN_INIT("{\"a\":1,,\"b\":2}"),
	SPAN_INIT("{\"a\":1 \"b\":2}"),
	SPAN_INIT("{\"a\"::1}"),
	SPAN_INIT("{\"a\",1}"),
	SPAN_INIT("{\"a\" \"b\"}"),
	SPAN_INIT("{a:1}"),
	SPAN_INIT("{'a':1}"),
	SPAN_INIT("{1:1}"),
	SPAN_INIT("{null:1}"),
	SPAN_INIT("{[]:1}"),
	SPAN_INIT("{\"a\":1]"),
	SPAN_INIT("{}}"),
	SPAN_INIT("{}{}"),
	SPAN_INIT("{} x"),
	SPAN_INIT("{\"a\":1}#"),
	SPAN_INIT("{\"a\":1}//"),
	SPAN_INIT("{/**/}"),
	SPAN_INIT("{\"a\":[1}}"),
	SPAN_INIT("[{\"a\":1]]"),
	SPAN_INIT("{\"\\ud83d\\ude0\":1}"),
	/* strings */
	SPAN_INIT("\""),
	SPAN_INIT("\"abc"),
	SPAN_INIT("\"abcdefghijkl"),
	SPAN_INIT("'abc'"),
	SPAN_INIT("\"\\\""),
	SPAN_INIT("\"\\"),
	SPAN_INIT("\"\\a\""),
	SPAN_INIT("\"\\0\""),
	SPAN_INIT("\"\\x41\""),
	SPAN_INIT("\"\\'\""),
	SPAN_INIT("\"\\U0041\""),
	SPAN_INIT("\"\\u\""),
	SPAN_INIT("\"\\u1\""),
	SPAN_INIT("\"\\u12\""),
	SPAN_INIT("\"\\u123\""),
	SPAN_INIT("\"\\u123g\""),
	SPAN_INIT("\"\\u 123\""),
	SPAN_INIT("\"\\u+123\""),
	SPAN_INIT("\"\\\n\""),
	SPAN_INIT("\"\n\""),
	SPAN_INIT("\"\t\""),
	SPAN_INIT("\"\0\""),
	SPAN_INIT("\"1234567\x1f\""),
	SPAN_INIT("\"12345678\x01\""),
	SPAN_INIT("\"a\"b\""),
	/* encoding */
	SPAN_INIT("\xef\xbb\xbf{}"),
	SPAN_INIT("\xc2\xa0[]"),
	SPAN_INIT("[\v1]"),
	SPAN_INIT("[\f1]"),
	SPAN_INIT("[\xe2\x81\xa0]"),
	SPAN_INIT("\"\x80\""),
	SPAN_INIT("\"\xbf\""),
	SPAN_INIT("\"\xc0\x80\""),
	SPAN_INIT("\"\xc0\xaf\""),
	SPAN_INIT("\"\xc1\xbf\""),
	SPAN_INIT("\"\xc3\""),
	SPAN_INIT("\"\xc3(\""),
	SPAN_INIT("\"\xe0\x80\x80\""),
	SPAN_INIT("\"\xe0\x9f\xbf\""),
	SPAN_INIT("\"\xe4\xb8\""),
	SPAN_INIT("\"\xe4\xb8(\""),
	SPAN_INIT("\"\xed\xa0\x80\""),
	SPAN_INIT("\"\xed\xbf\xbf\""),
	SPAN_INIT("\"\xf0\x80\x80\x80\""),
	SPAN_INIT("\"\xf0\x8f\xbf\xbf\""),
	SPAN_INIT("\"\xf0\x9f\x98\""),
	SPAN_INIT("\"\xf0\x9f\x98(\""),
	SPAN_INIT("\"\xf4\x90\x80\x80\""),
	SPAN_INIT("\"\xf5\x80\x80\x80\""),
	SPAN_INIT("\"\xfe\""),
	SPAN_INIT("\"\xff\""),
	SPAN_INIT("\xff"),
	SPAN_INIT("{\"\xe4\":1}"),
	SPAN_INIT("[\"\xed\xa0\xbd\xed\xb8\x80\"]"),
};

/* Validates a copy that has no spare byte behind it. */
static int
validate(struct span text, struct json_fault *fault)
{
	char *copy = malloc(text.n > 0 ? text.n : 1);
	int r;

	assert_non_null(copy);
	memcpy(copy, text.p, text.n);
	r = json_validate(span_make(text.n > 0 ? copy : NULL, text.n), fault);
	free(copy);
	return r;
}

static void
test_valid(void **state)
{
	struct json_fault fault;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(valid_texts); i++) {
		if (validate(valid_texts[i], &fault) != 0)
			fail_msg("refused: %.*s: %s", SPAN_ARGS(valid_texts[i]), fault.text);
	}
}

static void
test_invalid(void **state)
{
	struct json_fault fault;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(invalid_texts); i++) {
		if (validate(invalid_texts[i], &fault) != -EBADMSG)
			fail_msg("accepted: %.*s", SPAN_ARGS(invalid_texts[i]));
		assert_in_range(fault.offset, 0, invalid_texts[i].n);
		assert_non_null(fault.text);
	}
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Nothing but a number is valid when cut short. */
static void
test_valid_cut_short(void **state)
{
	struct json_fault fault;
	size_t i, n;

	(void)state;
	for (i = 0; i < ARRAY_LEN(valid_texts); i++) {
		struct span text = valid_texts[i];

		while (is_space(text.p[text.n - 1]))
			text.n--;
		if (strchr("-0123456789", text.p[0]) != NULL)
			continue;
		for (n = 0; n < text.n; n++) {
			if (validate(span_make(text.p, n), &fault) != -EBADMSG)
				fail_msg("accepted: %.*s", (int)n, text.p);
		}
	}
}

static void
check_member(struct span text, bool is_valid)
{
	static const struct json_field field = { "member", NULL };
	struct json_value value;
	struct json_fault fault;
	char whole[512];
	int n, r;

	assert_true(text.n < 400);
	n = snprintf(whole, sizeof(whole), "{\"before\":[],\"member\":");
	memcpy(whole + n, text.p, text.n);
	n += (int)text.n;
	n += snprintf(whole + n, sizeof(whole) - (size_t)n, ",\"after\":0}");
	r = json_object_scan(span_make(whole, (size_t)n), &field, 1, &value, JSON_KEYS_MAX, &fault);
	assert_int_equal(r, is_valid ? 0 : -EBADMSG);
	if (!is_valid)
		return;
	while (is_space(text.p[0]))
		text = span_skip(text, 1);
	while (is_space(text.p[text.n - 1]))
		text.n--;
	assert_true(span_is_equal(value.text, text));
}

/* Every case also as a member, whose bytes must come out as they went in. */
static void
test_cases_as_members(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(valid_texts); i++)
		check_member(valid_texts[i], true);
	for (i = 0; i < ARRAY_LEN(invalid_texts); i++)
		check_member(invalid_texts[i], false);
}

/* depth times the opener, then the closers. */
static struct span
nested(char *out, int depth, const char *open, const char *middle, const char *close)
{
	size_t n = 0;
	int i;

	for (i = 0; i < depth; i++)
		n += (size_t)sprintf(out + n, "%s", open);
	n += (size_t)sprintf(out + n, "%s", middle);
	for (i = 0; i < depth; i++)
		n += (size_t)sprintf(out + n, "%s", close);
	return span_make(out, n);
}

static void
test_depth(void **state)
{
	char text[DEEP_MAX * 10];
	struct json_fault fault;
	int depth;

	(void)state;
	for (depth = 1; depth < DEEP_MAX; depth++) {
		int wanted = depth <= JSON_DEPTH_MAX ? 0 : -EBADMSG;

		assert_int_equal(validate(nested(text, depth, "[", "", "]"), &fault), wanted);
		assert_int_equal(validate(nested(text, depth, "[", "1", "]"), &fault), wanted);
		assert_int_equal(
		    validate(nested(text, depth, "{\"a\":", "1", "}"), &fault), wanted);
		assert_int_equal(json_object_scan(nested(text, depth, "{\"a\":", "1", "}"), NULL, 0,
				     NULL, 8, &fault),
		    wanted);
	}
	assert_string_equal(fault.text, "values must be nested at most 64 levels deep");
	assert_int_equal(fault.offset, 64 * 5);
	/* Side by side is not inside each other. */
	assert_int_equal(validate(nested(text, DEEP_MAX, "[],", "[]", ""), &fault), -EBADMSG);
	assert_int_equal(validate(SPAN("[[[]],[[]],[{}],[{\"a\":[]}]]"), &fault), 0);
	/* Many openers and nothing else. */
	assert_int_equal(validate(nested(text, DEEP_MAX, "[", "", ""), &fault), -EBADMSG);
}

/* Mixed nesting must be closed in its own order. */
static void
test_nesting_order(void **state)
{
	struct json_fault fault;
	char text[64];
	unsigned bits;

	(void)state;
	for (bits = 0; bits < 256; bits++) {
		size_t n = 0, i;

		for (i = 0; i < 8; i++)
			n +=
			    (size_t)sprintf(text + n, "%s", (bits >> i & 1) != 0 ? "{\"k\":" : "[");
		text[n++] = '1';
		for (i = 8; i-- > 0;)
			text[n++] = (bits >> i & 1) != 0 ? '}' : ']';
		assert_int_equal(validate(span_make(text, n), &fault), 0);
		text[n - 1 - bits % 8] ^= ']' ^ '}';
		assert_int_equal(validate(span_make(text, n), &fault), -EBADMSG);
	}
}

/* Each byte at each place of a long string: the word-wise path and the byte-wise one agree. */
static void
test_each_byte_at_each_place(void **state)
{
	struct json_fault fault;
	char text[40];
	size_t at;
	int byte;

	(void)state;
	for (at = 1; at < 30; at++) {
		for (byte = 0; byte < 256; byte++) {
			bool is_valid = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';

			memset(text, 'x', sizeof(text));
			text[0] = text[30] = '"';
			text[at] = (char)byte;
			if (byte == '\\' && at == 29)
				continue;
			assert_int_equal(
			    validate(span_make(text, 31), &fault), is_valid ? 0 : -EBADMSG);
			if (!is_valid && byte != '"')
				assert_int_equal(fault.offset, at);
		}
	}
}

/* All two-byte and three-byte beginnings, against the table of RFC 3629. */
static void
test_each_lead_and_continuation(void **state)
{
	struct json_fault fault;
	unsigned a, b;

	(void)state;
	for (a = 0x80; a < 0x100; a++) {
		for (b = 0; b < 0x100; b++) {
			char text[] = { '"', (char)a, (char)b, '\x80', '\x80', '"' };
			bool is_tail = b >= 0x80 && b < 0xc0;
			bool is_two = a >= 0xc2 && a <= 0xdf && is_tail;
			bool is_three = a >= 0xe0 && a <= 0xef && is_tail &&
					!(a == 0xe0 && b < 0xa0) && !(a == 0xed && b >= 0xa0);
			bool is_four = a >= 0xf0 && a <= 0xf4 && is_tail &&
				       !(a == 0xf0 && b < 0x90) && !(a == 0xf4 && b >= 0x90);

			assert_int_equal(
			    validate(span_make(text, 6), &fault), is_four ? 0 : -EBADMSG);
			text[4] = '"';
			assert_int_equal(
			    validate(span_make(text, 5), &fault), is_three ? 0 : -EBADMSG);
			text[3] = '"';
			assert_int_equal(
			    validate(span_make(text, 4), &fault), is_two ? 0 : -EBADMSG);
		}
	}
}

static void
test_fault_offsets(void **state)
{
	struct json_fault fault;

	(void)state;
	assert_int_equal(validate(SPAN("[1,2,x]"), &fault), -EBADMSG);
	assert_int_equal(fault.offset, 5);
	assert_int_equal(validate(SPAN("{} {}"), &fault), -EBADMSG);
	assert_int_equal(fault.offset, 3);
	assert_string_equal(fault.text, "nothing must follow the value");
	assert_int_equal(validate(SPAN("[1,2"), &fault), -EBADMSG);
	assert_int_equal(fault.offset, 4);
	assert_int_equal(validate(SPAN("{\"a\" 1}"), &fault), -EBADMSG);
	assert_int_equal(fault.offset, 5);
	assert_string_equal(fault.text, "a colon must follow a key");
}

static void
test_array_next(void **state)
{
	static const char *const wanted[] = { "1", "\"a,b]\"", "[2,[3]]", "{\"k\":[4]}", "null" };
	struct span text = SPAN(" [ 1 , \"a,b]\",[2,[3]] ,{\"k\":[4]},null ] ");
	struct json_value value;
	size_t cursor = 0, i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(wanted); i++) {
		assert_int_equal(json_array_next(text, &cursor, &value), 1);
		assert_true(span_is(value.text, wanted[i]));
	}
	assert_int_equal(value.kind, JSON_NULL);
	assert_int_equal(json_array_next(text, &cursor, &value), 0);
	assert_int_equal(json_array_next(text, &cursor, &value), 0);
	cursor = 0;
	assert_int_equal(json_array_next(SPAN("[]"), &cursor, &value), 0);
	assert_int_equal(json_array_next(SPAN("[ ]"), &cursor, &value), 0);
	assert_int_equal(json_array_next(SPAN("{\"a\":1}"), &cursor, &value), 0);
	assert_int_equal(json_array_next(span_make(NULL, 0), &cursor, &value), 0);
	cursor = 99;
	assert_int_equal(json_array_next(SPAN("[1]"), &cursor, &value), 0);
}

static void
test_integer(void **state)
{
	int64_t value = -7;

	(void)state;
	assert_int_equal(json_integer_read(SPAN("0"), 0, 9, &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(json_integer_read(SPAN("-0"), 0, 9, &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(json_integer_read(SPAN("-12"), -12, 9, &value), 0);
	assert_int_equal(value, -12);
	assert_int_equal(json_integer_read(SPAN("-13"), -12, 9, &value), -ERANGE);
	assert_int_equal(json_integer_read(SPAN("10"), -12, 9, &value), -ERANGE);
	assert_int_equal(value, -12);
	assert_int_equal(
	    json_integer_read(SPAN("9007199254740992"), INT64_MIN, INT64_MAX, &value), 0);
	assert_true(value == JSON_INTEGER_MAX);
	assert_int_equal(
	    json_integer_read(SPAN("9007199254740993"), INT64_MIN, INT64_MAX, &value), -ERANGE);
	assert_int_equal(
	    json_integer_read(SPAN("-9007199254740992"), INT64_MIN, INT64_MAX, &value), 0);
	assert_int_equal(
	    json_integer_read(SPAN("-9007199254740993"), INT64_MIN, INT64_MAX, &value), -ERANGE);
	assert_int_equal(json_integer_read(SPAN("18446744073709551617"), 0, 9, &value), -ERANGE);
	assert_int_equal(
	    json_integer_read(SPAN("100000000000000000000000000000000000000000000000000000"
				   "00000000000000000000000000000"),
		0, 9, &value),
	    -ERANGE);
	assert_int_equal(json_integer_read(SPAN("1.0"), 0, 9, &value), -EINVAL);
	assert_int_equal(json_integer_read(SPAN("1e0"), 0, 9, &value), -EINVAL);
	assert_int_equal(json_integer_read(SPAN("1E3"), 0, 9999, &value), -EINVAL);
}

static void
test_kind_phrases(void **state)
{
	(void)state;
	assert_string_equal(json_kind_phrase(JSON_ABSENT), "absent");
	assert_string_equal(json_kind_phrase(JSON_NULL), "null");
	assert_string_equal(json_kind_phrase(JSON_BOOL), "true or false");
	assert_string_equal(json_kind_phrase(JSON_NUMBER), "a number");
	assert_string_equal(json_kind_phrase(JSON_STRING), "a string");
	assert_string_equal(json_kind_phrase(JSON_ARRAY), "an array");
	assert_string_equal(json_kind_phrase(JSON_OBJECT), "an object");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_invalid),
		cmocka_unit_test(test_valid_cut_short),
		cmocka_unit_test(test_cases_as_members),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_nesting_order),
		cmocka_unit_test(test_each_byte_at_each_place),
		cmocka_unit_test(test_each_lead_and_continuation),
		cmocka_unit_test(test_fault_offsets),
		cmocka_unit_test(test_array_next),
		cmocka_unit_test(test_integer),
		cmocka_unit_test(test_kind_phrases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
