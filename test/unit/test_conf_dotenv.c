/*
 * The lines of .env files: names, quotes, comments, and what is wrong with a line.
 */
#include "support_cmocka.h"

#include "conf/dotenv.h"

static void
assert_value(const char *text, const char *name, const char *value)
{
	struct dotenv_entry entry;
	struct buf out = { 0 };
	struct dotenv d;

	dotenv_open(&d, span_cstr(text));
	assert_true(dotenv_next(&d, &out, &entry));
	assert_null(entry.fault);
	support_assert_span(entry.name, span_cstr(name), text, __LINE__);
	support_assert_span(entry.value, span_cstr(value), text, __LINE__);
	assert_false(dotenv_next(&d, &out, &entry));
	buf_fini(&out);
}

static void
assert_fault(const char *text, const char *name, const char *fault)
{
	struct dotenv_entry entry;
	struct buf out = { 0 };
	struct dotenv d;

	dotenv_open(&d, span_cstr(text));
	assert_true(dotenv_next(&d, &out, &entry));
	assert_non_null(entry.fault);
	support_assert_span(entry.name, span_cstr(name), text, __LINE__);
	assert_string_equal(entry.fault, fault);
	buf_fini(&out);
}

static void
plain_values(void **state)
{
	(void)state;
	assert_value("A=b", "A", "b");
	assert_value("A=", "A", "");
	assert_value("A=\n", "A", "");
	assert_value("A=b c\n", "A", "b c");
	assert_value("  A = b \t\r\n", "A", "b");
	assert_value("A=b=c", "A", "b=c");
	assert_value("A_1=it's", "A_1", "it's");
	assert_value("A=a\\nb", "A", "a\\nb");
	assert_value("\xef\xbb\xbf"
		     "A=b",
	    "A", "b");
}

static void
comments(void **state)
{
	(void)state;
	assert_value("# x\n\n  # y\nA=b", "A", "b");
	assert_value("A=b # c", "A", "b");
	assert_value("A=b\t#c", "A", "b");
	assert_value("A=b#c", "A", "b#c");
	assert_value("A= # c", "A", "");
	assert_value("A=#c", "A", "");
	assert_value("A='b' # c", "A", "b");
	assert_value("A='b'#c", "A", "b");
}

static void
exports(void **state)
{
	(void)state;
	assert_value("export A=b", "A", "b");
	assert_value("export\tA = b", "A", "b");
	assert_value("export=b", "export", "b");
	assert_value("export =b", "export", "b");
	assert_value("exported=b", "exported", "b");
}

static void
quotes(void **state)
{
	(void)state;
	assert_value("A='b # \\n \"c\"'", "A", "b # \\n \"c\"");
	assert_value("A=\"b # 'c'\"", "A", "b # 'c'");
	assert_value("A=\"\\n\\r\\t\\\"\\\\\\$\\x\"", "A", "\n\r\t\"\\$\\x");
	assert_value("A=''", "A", "");
	assert_value("A=\" b \"  ", "A", " b ");
}

static void
faults(void **state)
{
	static const char closing[] = "the closing quote is missing";
	static const char follows[] = "something follows the closing quote";
	static const char equals[] = "the name must be followed by = and a value";
	static const char letters[] = "names consist of letters, digits and _";

	(void)state;
	assert_fault("A='b", "A", closing);
	assert_fault("A=\"b", "A", closing);
	assert_fault("A=\"b\\\"", "A", closing);
	assert_fault("A=\"b\\", "A", closing);
	assert_fault("A='b' c", "A", follows);
	assert_fault("A b", "A", equals);
	assert_fault("A", "A", equals);
	assert_fault("export A", "A", equals);
	assert_fault("export", "export", equals);
	assert_fault("A-B=c", "A-B", letters);
	assert_fault("=c", "", letters);
}

/* What is wrong in one line does not reach the next. */
static void
lines_are_counted(void **state)
{
	struct dotenv_entry entry;
	struct buf out = { 0 };
	struct dotenv d;

	(void)state;
	dotenv_open(&d, SPAN("A='b\n\n#\nB='c'\r\n?\nC=d"));
	assert_true(dotenv_next(&d, &out, &entry));
	assert_int_equal(entry.line, 1);
	assert_true(dotenv_next(&d, &out, &entry));
	assert_int_equal(entry.line, 4);
	assert_span(entry.value, "c");
	assert_null(entry.fault);
	assert_true(dotenv_next(&d, &out, &entry));
	assert_int_equal(entry.line, 5);
	assert_true(dotenv_next(&d, &out, &entry));
	assert_int_equal(entry.line, 6);
	assert_span(entry.value, "d");
	assert_false(dotenv_next(&d, &out, &entry));
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_values),
		cmocka_unit_test(comments),
		cmocka_unit_test(exports),
		cmocka_unit_test(quotes),
		cmocka_unit_test(faults),
		cmocka_unit_test(lines_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
