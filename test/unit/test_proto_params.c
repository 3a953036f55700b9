/*
 * Params by a table: every kind with its bounds, what null and absence mean, faults with their
 * paths, and what is decoded into memory of its own.
 */
#include "support_cmocka.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/params.h"
#include "support_alloc.h"

static const char *const modes[] = { "app", "web", "cli", NULL };

enum { TEXT, MODE, LIMIT, FLAG, LIST, OBJECT, ANY, COUNT };

static const struct param table[COUNT] = {
	[TEXT] = { .name = "text", .kind = PARAM_STRING, .min = 2, .max = 5 },
	[MODE] = { .name = "mode", .kind = PARAM_CHOICE, .choices = modes },
	[LIMIT] = {
		.name = "maxLimit",
		.alias = "max_limit",
		.kind = PARAM_INTEGER,
		.min = -3,
		.max = 200,
	},
	[FLAG] = { .name = "flag", .kind = PARAM_BOOL },
	[LIST] = { .name = "list", .kind = PARAM_STRINGS, .min = 1, .max = 3, .item_max = 4 },
	[OBJECT] = { .name = "object", .kind = PARAM_OBJECT },
	[ANY] = { .name = "any", .kind = PARAM_ANY },
};

static int
read_text(struct params *params, const char *text, struct envelope_fault *fault)
{
	return params_read(params, span_cstr(text), "params", table, COUNT, fault);
}

static void
test_absent(void **state)
{
	static const char all_null[] =
	    "{\"text\":null,\"mode\":null,\"maxLimit\":null,\"flag\":null,\"list\":null,"
	    "\"object\":null,\"any\":null}";
	static const char *const texts[] = { "", "{}", "{\"other\":1,\"Text\":2}", all_null };
	struct envelope_fault fault;
	struct params params;
	size_t i, k;

	(void)state;
	for (i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(read_text(&params, texts[i], &fault), 0);
		for (k = 0; k < COUNT; k++) {
			assert_false(params.values[k].is_present);
			assert_int_equal(params.values[k].string.n, 0);
			assert_int_equal(params.values[k].strings_count, 0);
		}
		assert_null(params.store);
		params_fini(&params);
	}
}

static void
test_values(void **state)
{
	static const char text[] = "{\"any\":[1, {}],\"object\":{\"a\":1,\"a\":2},"
				   "\"list\":[\"a\",\"bcd\"],\"flag\":true,\"max_limit\":-3,"
				   "\"mode\":\"cli\",\"text\":\"abcde\"}";
	struct envelope_fault fault;
	struct params params;

	(void)state;
	assert_int_equal(read_text(&params, text, &fault), 0);
	assert_span(params.values[TEXT].string, "abcde");
	assert_true(params.values[TEXT].is_present);
	assert_int_equal(params.values[MODE].integer, 2);
	assert_int_equal(params.values[LIMIT].integer, -3);
	assert_true(params.values[FLAG].boolean);
	assert_int_equal(params.values[LIST].strings_count, 2);
	assert_span(params.values[LIST].strings[0], "a");
	assert_span(params.values[LIST].strings[1], "bcd");
	assert_span(params.values[OBJECT].json.text, "{\"a\":1,\"a\":2}");
	assert_span(params.values[ANY].json.text, "[1, {}]");
	assert_int_equal(params.values[ANY].json.kind, JSON_ARRAY);
	params_fini(&params);
	assert_int_equal(read_text(&params, "{\"flag\":false,\"maxLimit\":200}", &fault), 0);
	assert_false(params.values[FLAG].boolean);
	assert_int_equal(params.values[LIMIT].integer, 200);
	params_fini(&params);
}

static void
test_escapes(void **state)
{
	struct envelope_fault fault;
	struct params params;

	(void)state;
	assert_int_equal(read_text(&params,
			     "{\"text\":\"\\u0061\\n\\\"\",\"mode\":\"\\u0061pp\","
			     "\"list\":[\"\\t\",\"plai\",\"\\ud83d\\ude00\"]}",
			     &fault),
	    0);
	assert_non_null(params.store);
	assert_span(params.values[TEXT].string, "a\n\"");
	assert_int_equal(params.values[MODE].integer, 0);
	assert_span(params.values[LIST].strings[0], "\t");
	assert_span(params.values[LIST].strings[1], "plai");
	assert_span(params.values[LIST].strings[2], "\xf0\x9f\x98\x80");
	params_fini(&params);
	assert_null(params.store);
	params_fini(&params);
}

static void
test_faults(void **state)
{
	static const struct {
		const char *text, *reason, *field;
	} cases[] = {
		{ "[]", "not-an-object", "params" },
		{ "{", "invalid-json", "params" },
		{ "{\"x\":1,\"x\":2}", "duplicate-key", "params.x" },
		{ "{\"text\":\"ab\",\"\\u0074ext\":\"ab\"}", "duplicate-key", "params.\\u0074ext" },
		{ "{\"maxLimit\":1,\"max_limit\":1}", "duplicate-key", "params.max_limit" },
		{ "{\"text\":1}", "invalid-field", "params.text" },
		{ "{\"text\":\"a\"}", "invalid-field", "params.text" },
		{ "{\"text\":\"abcdef\"}", "invalid-field", "params.text" },
		{ "{\"text\":\"\\u0061bcdef\"}", "invalid-field", "params.text" },
		{ "{\"text\":\"a\\ud800\"}", "invalid-field", "params.text" },
		{ "{\"mode\":\"App\"}", "invalid-field", "params.mode" },
		{ "{\"mode\":\"\"}", "invalid-field", "params.mode" },
		{ "{\"mode\":\"\\ud800\"}", "invalid-field", "params.mode" },
		{ "{\"mode\":1}", "invalid-field", "params.mode" },
		{ "{\"maxLimit\":201}", "invalid-field", "params.maxLimit" },
		{ "{\"max_limit\":-4}", "invalid-field", "params.maxLimit" },
		{ "{\"maxLimit\":1.5}", "invalid-field", "params.maxLimit" },
		{ "{\"maxLimit\":\"1\"}", "invalid-field", "params.maxLimit" },
		{ "{\"flag\":1}", "invalid-field", "params.flag" },
		{ "{\"flag\":\"true\"}", "invalid-field", "params.flag" },
		{ "{\"list\":\"a\"}", "invalid-field", "params.list" },
		{ "{\"list\":{}}", "invalid-field", "params.list" },
		{ "{\"list\":[]}", "invalid-field", "params.list" },
		{ "{\"list\":[\"a\",\"b\",\"c\",\"d\"]}", "invalid-field", "params.list" },
		{ "{\"list\":[\"a\",1]}", "invalid-field", "params.list[1]" },
		{ "{\"list\":[null]}", "invalid-field", "params.list[0]" },
		{ "{\"list\":[\"a\",\"b\",\"\"]}", "invalid-field", "params.list[2]" },
		{ "{\"list\":[\"abcde\"]}", "invalid-field", "params.list[0]" },
		{ "{\"list\":[\"\\ud800\"]}", "invalid-field", "params.list[0]" },
		{ "{\"list\":[[\"a\"]]}", "invalid-field", "params.list[0]" },
		{ "{\"object\":[]}", "invalid-field", "params.object" },
	};
	struct envelope_fault fault;
	struct params params;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		if (read_text(&params, cases[i].text, &fault) != -EBADMSG)
			fail_msg("accepted: %s", cases[i].text);
		assert_int_equal(fault.code, ERROR_INVALID_REQUEST);
		assert_string_equal(fault.reason, cases[i].reason);
		assert_string_equal(fault.field, cases[i].field);
	}
}

static void
assert_sentence(const char *text, const char *wanted)
{
	struct envelope_fault fault;
	struct params params;

	assert_int_equal(read_text(&params, text, &fault), -EBADMSG);
	assert_string_equal(fault.sentence, wanted);
}

static void
test_sentences(void **state)
{
	(void)state;
	assert_sentence(
	    "{\"text\":\"a\"}", "params.text is too short; it must be a string of 2 to 5 bytes.");
	assert_sentence("{\"mode\":\"x\"}", "params.mode must be \"app\", \"web\" or \"cli\".");
	assert_sentence("{\"maxLimit\":\"1\"}",
	    "params.maxLimit must be an integer of -3 to 200, not a string.");
	assert_sentence("{\"maxLimit\":1000}", "params.maxLimit must be an integer of -3 to 200.");
	assert_sentence("{\"flag\":0}", "params.flag must be true or false, not a number.");
	assert_sentence("{\"list\":[]}", "params.list must be an array of 1 to 3 strings.");
	assert_sentence(
	    "{\"list\":[null]}", "params.list[0] must be a string of 1 to 4 bytes, not null.");
	assert_sentence("[]", "params must be a JSON object.");
}

static void
test_required(void **state)
{
	struct param required = { .name = "thing", .required = true, .min = 0, .max = 3 };
	static const enum param_kind kinds[] = { PARAM_STRING, PARAM_CHOICE, PARAM_INTEGER,
		PARAM_BOOL, PARAM_STRINGS, PARAM_OBJECT, PARAM_ANY };
	struct envelope_fault fault;
	struct params params;
	size_t i;

	(void)state;
	required.choices = modes;
	for (i = 0; i < ARRAY_LEN(kinds); i++) {
		required.kind = kinds[i];
		assert_int_equal(
		    params_read(&params, SPAN(""), "params", &required, 1, &fault), -EBADMSG);
		assert_string_equal(fault.reason, "missing-field");
		assert_string_equal(fault.field, "params.thing");
		assert_int_equal(
		    params_read(&params, SPAN("{\"thing\":null}"), "", &required, 1, &fault),
		    -EBADMSG);
		assert_string_equal(fault.reason, "missing-field");
		assert_string_equal(fault.field, "thing");
	}
	assert_string_equal(
	    fault.sentence, "thing is missing; it must be a value other than null.");
}

/* Arrays one behind another, also empty ones, each with its own elements. */
static void
test_several_arrays(void **state)
{
	static const struct param lists[] = {
		{ .name = "a", .kind = PARAM_STRINGS, .max = 2, .item_max = 9 },
		{ .name = "b", .kind = PARAM_STRINGS, .max = 2, .item_max = 9 },
		{ .name = "c", .kind = PARAM_STRINGS, .max = 2, .item_max = 9 },
	};
	struct envelope_fault fault;
	struct params params;

	(void)state;
	assert_int_equal(params_read(&params, SPAN("{\"a\":[],\"b\":[],\"c\":[]}"), "", lists,
			     ARRAY_LEN(lists), &fault),
	    0);
	assert_true(params.values[0].is_present);
	assert_int_equal(params.values[0].strings_count, 0);
	params_fini(&params);
	assert_int_equal(
	    params_read(&params, SPAN("{\"c\":[\"\\n\",\"y\"],\"b\":[],\"a\":[\"\\t\"]}"), "",
		lists, ARRAY_LEN(lists), &fault),
	    0);
	assert_int_equal(params.values[0].strings_count, 1);
	assert_span(params.values[0].strings[0], "\t");
	assert_int_equal(params.values[1].strings_count, 0);
	assert_span(params.values[2].strings[0], "\n");
	assert_span(params.values[2].strings[1], "y");
	params_fini(&params);
}

/* An array far over its bound costs no memory for its elements. */
static void
test_long_array(void **state)
{
	size_t n = 20000, i, len = 0;
	char *text = malloc(n * 4 + 32);
	struct envelope_fault fault;
	struct params params;

	(void)state;
	assert_non_null(text);
	len += (size_t)sprintf(text, "{\"list\":[\"a\"");
	for (i = 0; i < n; i++, len += 4)
		memcpy(text + len, ",\"b\"", 4);
	memcpy(text + len, "]}", 3);
	assert_int_equal(read_text(&params, text, &fault), -EBADMSG);
	assert_string_equal(fault.field, "params.list");
	free(text);
}

static void
test_no_memory(void **state)
{
	struct envelope_fault fault;
	struct params params;

	(void)state;
	support_alloc_fail_all();
	assert_int_equal(read_text(&params, "{\"list\":[\"a\"]}", &fault), -ENOMEM);
	/* Without escapes and arrays none is needed. */
	assert_int_equal(read_text(&params, "{\"text\":\"abc\",\"mode\":\"web\"}", &fault), 0);
	support_alloc_fail_at(0);
	params_fini(&params);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_required),
		cmocka_unit_test(test_several_arrays),
		cmocka_unit_test(test_long_array),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
