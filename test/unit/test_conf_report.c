/*
 * The report: one line for each error, whatever others have written into it.
 */
#include "support_cmocka.h"

#include "conf/report.h"
#include "support_alloc.h"

static void
lines_stay_lines(void **state)
{
	struct conf_report r = { 0 };
	size_t cursor = 0;
	struct span line;

	(void)state;
	conf_report_add(&r, "f:1", "a.b", "must be %d", 7);
	conf_report_add(&r, "f\n:2", "a\x1b", "c\td");
	conf_report_add(&r, "f:3", NULL, "x\x7f");
	assert_int_equal(r.count, 3);
	assert_true(conf_report_next(&r, &cursor, &line));
	assert_span(line, "f:1: a.b: must be 7");
	assert_true(conf_report_next(&r, &cursor, &line));
	assert_span(line, "f\\x0a:2: a\\x1b: c\\x09d");
	assert_true(conf_report_next(&r, &cursor, &line));
	assert_span(line, "f:3: x\\x7f");
	assert_false(conf_report_next(&r, &cursor, &line));
	conf_report_fini(&r);
	assert_int_equal(r.count, 0);
}

/* What is no UTF-8, and what a terminal takes for a command. */
static void
lines_are_text(void **state)
{
	struct conf_report r = { 0 };
	size_t cursor = 0;
	struct span line;

	(void)state;
	conf_report_add(&r, "f\xff", "\xc3\xb6\xc3", "\xe2\x82\xac \xe2\x82");
	conf_report_add(&r, "\xc2\x9b", "\xc2\x80\xc2\xa0", "\xed\xa0\x80");
	assert_true(conf_report_next(&r, &cursor, &line));
	assert_span(line, "f\\xff: \xc3\xb6\\xc3: \xe2\x82\xac \\xe2\\x82");
	assert_true(conf_report_next(&r, &cursor, &line));
	assert_span(line, "\\xc2\\x9b: \\xc2\\x80\xc2\xa0: \\xed\\xa0\\x80");
	conf_report_fini(&r);
}

static void
long_keys_are_cut(void **state)
{
	struct conf_report r = { 0 };
	char key[122] = { 0 };
	size_t cursor = 0;
	struct span line;

	(void)state;
	memset(key, 'k', 120);
	conf_report_add(&r, "f", key, "m");
	key[120] = 'k';
	conf_report_add(&r, "f", key, "m");
	assert_true(conf_report_next(&r, &cursor, &line));
	assert_int_equal(line.n, strlen("f: : m") + 120);
	assert_true(conf_report_next(&r, &cursor, &line));
	assert_int_equal(line.n, strlen("f: ...: m") + 120);
	memcpy(key + 119, "\xc3\xb6", 2);
	conf_report_add(&r, "f", key, "m");
	assert_true(conf_report_next(&r, &cursor, &line));
	assert_int_equal(line.n, strlen("f: ...: m") + 119);
	conf_report_fini(&r);
}

static void
assert_quoted(struct span text, const char *should)
{
	struct buf out = { 0 };

	conf_report_quote(&out, text);
	support_assert_span(buf_span(&out), span_cstr(should), __FILE__, __LINE__);
	buf_fini(&out);
}

static void
quotes(void **state)
{
	char text[64];

	(void)state;
	assert_quoted(SPAN(""), "\"\"");
	assert_quoted(SPAN("a \"b\"\n"), "\"a \\\"b\\\"\\n\"");
	assert_quoted(SPAN("\xff"), "\"\xef\xbf\xbd\"");
	memset(text, 'a', sizeof(text));
	assert_quoted(span_make(text, 60),
	    "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"");
	memcpy(text + 59, "\xc3\xb6", 2);
	assert_quoted(span_make(text, 61),
	    "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\"");
}

static void
the_number_of_lines_is_bounded(void **state)
{
	struct conf_report r = { 0 };
	size_t cursor = 0, lines = 0;
	struct span line = { 0 };

	(void)state;
	for (int i = 0; i < CONF_REPORT_LINES_MAX + 5; i++)
		conf_report_add(&r, "f", NULL, "m");
	assert_int_equal(r.count, CONF_REPORT_LINES_MAX + 5);
	while (conf_report_next(&r, &cursor, &line))
		lines++;
	assert_int_equal(lines, CONF_REPORT_LINES_MAX + 1);
	assert_span(line, "too many errors: the rest is not listed");
	conf_report_fini(&r);
}

static void
want_of_memory_sticks(void **state)
{
	struct conf_report r = { 0 };

	(void)state;
	support_alloc_fail_at(1);
	conf_report_add(&r, "f", "k", "m %d", 1);
	support_alloc_fail_at(0);
	conf_report_add(&r, "f", "k", "m");
	assert_true(buf_status(&r.text) < 0);
	assert_int_equal(r.count, 2);
	conf_report_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_stay_lines),
		cmocka_unit_test(lines_are_text),
		cmocka_unit_test(long_keys_are_cut),
		cmocka_unit_test(quotes),
		cmocka_unit_test(the_number_of_lines_is_bounded),
		cmocka_unit_test(want_of_memory_sticks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
