/*
 * JSON laid out anew keeps every token, and nothing reaches a terminal that it would obey.
 */
#include "support_cmocka.h"

#include <stdlib.h>

#include "cli/jsonprint.h"
#include "proto/json.h"
#include "support_alloc.h"

static void
assert_layouts(struct span json, const char *indented, const char *compact)
{
	struct buf out = { 0 };

	jsonprint_indented(&out, json);
	assert_true(span_is(buf_span(&out), indented));
	buf_reset(&out);
	jsonprint_compact(&out, json);
	if (!span_is(buf_span(&out), compact))
		fail_msg("%.*s", SPAN_ARGS(buf_span(&out)));
	buf_fini(&out);
}

static void
layouts(void **state)
{
	(void)state;
	assert_layouts(SPAN("{\"a\":1,\"b\":[true,{\"c\":null}]}"),
	    "{\n  \"a\": 1,\n  \"b\": [\n    true,\n    {\n      \"c\": null\n    }\n  ]\n}\n",
	    "{\"a\":1,\"b\":[true,{\"c\":null}]}");
	assert_layouts(SPAN(" { } "), "{}\n", "{}");
	assert_layouts(SPAN("[\n\t]"), "[]\n", "[]");
	assert_layouts(SPAN("[[],{}]"), "[\n  [],\n  {}\n]\n", "[[],{}]");
	assert_layouts(SPAN("{\r\n\"a\"\t:  [ 1 , 2 ]\n}"),
	    "{\n  \"a\": [\n    1,\n    2\n  ]\n}\n", "{\"a\":[1,2]}");
	assert_layouts(SPAN("\"x\""), "\"x\"\n", "\"x\"");
	assert_layouts(SPAN(""), "\n", "");
}

static void
tokens_survive(void **state)
{
	static const char json[] = "{\"n\":[1.0,1e300,-0,9007199254740993,123456789012345678901],"
				   "\"n\":\"\\u0000\\/ \\\"{[,:]}\\\\\"}";

	(void)state;
	assert_layouts(span_cstr(json),
	    "{\n  \"n\": [\n    1.0,\n    1e300,\n    -0,\n    9007199254740993,\n"
	    "    123456789012345678901\n  ],\n  \"n\": \"\\u0000\\/ \\\"{[,:]}\\\\\"\n}\n",
	    json);
}

static void
controls_are_escaped(void **state)
{
	struct buf out = { 0 };

	(void)state;
	assert_layouts(SPAN("[\"\x7f\xc2\x9b"
			    "31m \xc3\xa9 \xc2\xa0\"]"),
	    "[\n  \"\\u007f\\u009b31m \xc3\xa9 \xc2\xa0\"\n]\n",
	    "[\"\\u007f\\u009b31m \xc3\xa9 \xc2\xa0\"]");
	jsonprint_plain(&out, SPAN("\"a\\\x1b[31m\n\x7f\xc2\x85\xff\xc3\xa9\""));
	assert_span(buf_span(&out), "\"a\\\\u001b[31m\\u000a\\u007f\\u0085\xef\xbf\xbd\xc3\xa9\"");
	buf_fini(&out);
}

/* Every cut of a text is walked over without leaving it; ASan watches. */
static void
cut_text_is_harmless(void **state)
{
	static const char json[] = "{\"a\\\"\":[1,{\"\\u0041\":\"\xc2\x9b\"}],\"b\":\"\\\\\"}";

	(void)state;
	for (size_t n = 0; n < sizeof(json); n++) {
		char *copy = malloc(n > 0 ? n : 1);
		struct buf out = { 0 };

		assert_non_null(copy);
		memcpy(copy, json, n);
		jsonprint_indented(&out, span_make(copy, n));
		jsonprint_compact(&out, span_make(copy, n));
		buf_fini(&out);
		free(copy);
	}
}

static void
attempt(void *arg)
{
	struct buf out = { 0 };

	(void)arg;
	jsonprint_plain(&out, SPAN("some text"));
	if (buf_status(&out) == 0)
		assert_span(buf_span(&out), "some text");
	buf_fini(&out);
}

static void
without_memory(void **state)
{
	(void)state;
	assert_true(support_alloc_try_each(attempt, NULL) >= 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layouts),
		cmocka_unit_test(tokens_survive),
		cmocka_unit_test(controls_are_escaped),
		cmocka_unit_test(cut_text_is_harmless),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
