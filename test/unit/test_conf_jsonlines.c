/*
 * Lines of JSON items: comments blanked out in place, items found with key, value and line.
 */
#include "support_cmocka.h"

#include <stdlib.h>

#include "conf/jsonlines.h"

static void
assert_stripped(const char *text, const char *should)
{
	char copy[256];

	assert_int_equal(strlen(text), strlen(should));
	strcpy(copy, text);
	jsonlines_strip_comments(copy, strlen(copy));
	assert_string_equal(copy, should);
}

static void
comments_become_blanks(void **state)
{
	(void)state;
	assert_stripped("{} // x\n", "{}     \n");
	assert_stripped("// x\n{}//\n", "    \n{}  \n");
	assert_stripped("1 / 2", "1 / 2");
	assert_stripped("// x", "    ");
	assert_stripped("/", "/");
	assert_stripped("//", "  ");
	assert_stripped("// \" //\n\"a\"//\"\n", "       \n\"a\"   \n");
	assert_stripped("// a\r\n1", "     \n1");
}

static void
strings_keep_their_slashes(void **state)
{
	(void)state;
	assert_stripped("\"http://a\" // b", "\"http://a\"     ");
	assert_stripped("\"a\\\"//b\"//c", "\"a\\\"//b\"   ");
	assert_stripped("\"a\\\\\"//c", "\"a\\\\\"   ");
	assert_stripped("\"\\", "\"\\");
}

static void
a_broken_string_ends_with_its_line(void **state)
{
	(void)state;
	assert_stripped("\"a // b\n1 // c", "\"a // b\n1     ");
	assert_stripped("\"a\\\n1 // c", "\"a\\\n1     ");
}

static void
assert_item(
    struct jsonlines *w, const char *key, const char *value, unsigned line, unsigned value_line)
{
	struct jsonlines_item item;

	assert_true(jsonlines_next(w, &item));
	support_assert_span(item.key, span_cstr(key), __FILE__, __LINE__);
	support_assert_span(item.value, span_cstr(value), __FILE__, __LINE__);
	assert_int_equal(item.line, line);
	assert_int_equal(item.value_line, value_line);
}

static void
members_have_lines(void **state)
{
	struct span text = SPAN("\n {\"a\" : 1,\n\"b\":\n\n\"x\\\"}y\" ,\"c\":{\"d\":\n[\"]\"]},"
				"\"e\":true}");
	struct jsonlines_item item;
	struct jsonlines w;

	(void)state;
	jsonlines_open(&w, text, 1);
	assert_item(&w, "\"a\"", "1", 2, 2);
	assert_item(&w, "\"b\"", "\"x\\\"}y\"", 3, 5);
	assert_item(&w, "\"c\"", "{\"d\":\n[\"]\"]}", 5, 5);
	assert_item(&w, "\"e\"", "true", 6, 6);
	assert_false(jsonlines_next(&w, &item));
	assert_false(jsonlines_next(&w, &item));
}

static void
elements_have_lines(void **state)
{
	struct span text = SPAN("[ \"a\",\n -1e3 ,null,\n\n[] ]");
	struct jsonlines_item item;
	struct jsonlines w;

	(void)state;
	jsonlines_open(&w, text, 7);
	assert_item(&w, "", "\"a\"", 7, 7);
	assert_item(&w, "", "-1e3", 8, 8);
	assert_item(&w, "", "null", 8, 8);
	assert_item(&w, "", "[]", 10, 10);
	assert_false(jsonlines_next(&w, &item));
}

static void
empty_ones_have_no_items(void **state)
{
	static const char *const texts[] = { "{}", "[]", "{ \n }", " [\t]", "", " " };
	struct jsonlines_item item;
	struct jsonlines w;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		jsonlines_open(&w, span_cstr(texts[i]), 1);
		assert_false(jsonlines_next(&w, &item));
	}
}

/* Cut anywhere, with the sanitizers watching: nothing beyond the end is read, and it ends. */
static void
cut_texts_end(void **state)
{
	static const char text[] = "{\"a\\\"\":[1,{\"b\":\"\\\\\"}],\"c\":\"d\",:]}x\"\\";
	struct jsonlines_item item;
	struct jsonlines w;

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		char *copy = malloc(n + 1);
		size_t items = 0;

		memcpy(copy, text, n);
		jsonlines_open(&w, span_make(copy, n), 1);
		while (jsonlines_next(&w, &item))
			assert_true(++items <= n);
		jsonlines_strip_comments(copy, n);
		free(copy);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comments_become_blanks),
		cmocka_unit_test(strings_keep_their_slashes),
		cmocka_unit_test(a_broken_string_ends_with_its_line),
		cmocka_unit_test(members_have_lines),
		cmocka_unit_test(elements_have_lines),
		cmocka_unit_test(empty_ones_have_no_items),
		cmocka_unit_test(cut_texts_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
