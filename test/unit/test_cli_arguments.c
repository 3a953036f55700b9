/*
 * Options and operands as they are typed, in every spelling and order, and every mistake.
 */
#include "support_cmocka.h"

#include <errno.h>

#include "cli/arguments.h"
#include "support_alloc.h"

enum { WORDS_MAX = 16 };

static const struct syntax logs = {
	.options = OPTION_BIT(OPTION_FOLLOW) | OPTION_BIT(OPTION_LINES) |
		   OPTION_BIT(OPTION_CONFIG) | OPTION_BIT(OPTION_EVENTS),
	.operand = "THING",
};

static const struct syntax start = {
	.options = OPTION_BIT(OPTION_DAEMON) | OPTION_BIT(OPTION_CONFIG),
	.takes_settings = true,
};

/* Splits the line at its spaces and reads the words; the store must outlive the result. */
static int
parse(const struct syntax *syntax, const char *line, char store[256], struct arguments *ret,
    struct buf *fault)
{
	char *words[WORDS_MAX];
	int n = 0;

	strcpy(store, line);
	for (char *word = strtok(store, " "); word != NULL; word = strtok(NULL, " "))
		words[n++] = word;
	return arguments_parse(ret, syntax, n, words, fault);
}

static void
assert_fault(const struct syntax *syntax, const char *line, const char *message)
{
	struct arguments a;
	struct buf fault = { 0 };
	char store[256];

	assert_int_equal(parse(syntax, line, store, &a, &fault), -EINVAL);
	buf_append_byte(&fault, '\0');
	assert_string_equal(fault.data, message);
	buf_fini(&fault);
	arguments_fini(&a);
}

static void
every_spelling(void **state)
{
	static const char *const lines[] = {
		"--lines 7 --follow x --config c",
		"x --config=c -f --lines=7",
		"-fn 7 --config c x",
		"-fn7 x --config c",
		"--lines 3 -n7 -f --config a --config c -- x",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct arguments a;
		struct buf fault = { 0 };
		char store[256];

		assert_int_equal(parse(&logs, lines[i], store, &a, &fault), 0);
		assert_int_equal(arguments_number(&a, OPTION_LINES, 1), 7);
		assert_true(arguments_has(&a, OPTION_FOLLOW));
		assert_string_equal(arguments_text(&a, OPTION_CONFIG), "c");
		assert_string_equal(a.operand, "x");
		assert_int_equal(fault.len, 0);
		arguments_fini(&a);
	}
}

static void
nothing_given(void **state)
{
	struct arguments a;
	struct buf fault = { 0 };
	char store[256];
	size_t cursor = 0;

	(void)state;
	assert_int_equal(parse(&logs, "", store, &a, &fault), 0);
	assert_int_equal(arguments_number(&a, OPTION_LINES, 50), 50);
	assert_false(arguments_has(&a, OPTION_FOLLOW));
	assert_null(arguments_text(&a, OPTION_CONFIG));
	assert_null(arguments_each(&a, OPTION_EVENTS, &cursor));
	assert_null(a.operand);
	arguments_fini(&a);
}

static void
repeated_options_and_strange_operands(void **state)
{
	struct arguments a;
	struct buf fault = { 0 };
	char store[256];
	size_t cursor = 0;

	(void)state;
	assert_int_equal(
	    parse(&logs, "--events a.* --follow --events=b --events= -", store, &a, &fault), 0);
	assert_string_equal(arguments_each(&a, OPTION_EVENTS, &cursor), "a.*");
	assert_string_equal(arguments_each(&a, OPTION_EVENTS, &cursor), "b");
	assert_string_equal(arguments_each(&a, OPTION_EVENTS, &cursor), "");
	assert_null(arguments_each(&a, OPTION_EVENTS, &cursor));
	assert_string_equal(a.operand, "-");
	arguments_fini(&a);
	assert_int_equal(parse(&logs, "-- --follow", store, &a, &fault), 0);
	assert_string_equal(a.operand, "--follow");
	assert_false(arguments_has(&a, OPTION_FOLLOW));
	arguments_fini(&a);
}

static void
settings_become_flags_of_the_configuration(void **state)
{
	struct arguments a;
	struct buf fault = { 0 };
	char store[256];

	(void)state;
	assert_int_equal(parse(&start, "--port 8080 -d --log-level=debug --echo --echo=false",
			     store, &a, &fault),
	    0);
	assert_int_equal(a.setting_count, 4);
	assert_string_equal(a.settings[0], "gateway.port=8080");
	assert_string_equal(a.settings[1], "gateway.log_level=debug");
	assert_string_equal(a.settings[2], "gateway.echo");
	assert_string_equal(a.settings[3], "gateway.echo=false");
	assert_true(arguments_has(&a, OPTION_DAEMON));
	arguments_fini(&a);
}

static void
mistakes(void **state)
{
	(void)state;
	assert_fault(&logs, "--folow", "unknown option --folow; did you mean --follow?");
	assert_fault(&logs, "--port 1", "unknown option --port");
	assert_fault(&logs, "-x", "unknown option -x");
	assert_fault(&logs, "-fx", "unknown option -fx");
	assert_fault(&logs, "--follow=yes", "--follow takes no value");
	assert_fault(&logs, "--config", "--config needs a value");
	assert_fault(&logs, "-n", "--lines needs a value");
	assert_fault(&logs, "-n -1", "--lines: must be a number from 0 to 9223372036854775807");
	assert_fault(&logs, "--lines=", "--lines: must be a number from 0 to 9223372036854775807");
	assert_fault(&logs, "a b", "unexpected argument \"b\"");
	assert_fault(&start, "a", "unexpected argument \"a\"");
	assert_fault(
	    &start, "--log-levl debug", "unknown option --log-levl; did you mean --log-level?");
	assert_fault(&start, "--prot=1", "unknown option --prot; did you mean --port?");
	assert_fault(&start, "--port", "--port needs a value");
	assert_fault(&start, "--=1", "unknown option --");
}

static void
bounds_of_numbers(void **state)
{
	static const struct syntax syntax = { .options = OPTION_BIT(OPTION_PORT) };
	static const char fault[] = "--port: must be a number from 1 to 65535";

	(void)state;
	assert_fault(&syntax, "--port 0", fault);
	assert_fault(&syntax, "--port 65536", fault);
	assert_fault(&syntax, "--port 18446744073709551617", fault);
	assert_fault(&syntax, "--port 1x", fault);
}

static void
help_goes_before_mistakes_behind_it(void **state)
{
	struct arguments a;
	struct buf fault = { 0 };
	char store[256];

	(void)state;
	assert_int_equal(parse(&logs, "-h --nonsense", store, &a, &fault), 0);
	assert_true(arguments_has(&a, OPTION_HELP));
	arguments_fini(&a);
}

static void
attempt(void *arg)
{
	struct arguments a;
	struct buf fault = { 0 };
	char store[256];
	int rc = parse(&start, "--port 8080 -d --echo --config x", store, &a, &fault);

	(void)arg;
	assert_true(rc == 0 || rc == -ENOMEM);
	arguments_fini(&a);
	buf_fini(&fault);
}

static void
without_memory(void **state)
{
	(void)state;
	assert_true(support_alloc_try_each(attempt, NULL) >= 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_spelling),
		cmocka_unit_test(nothing_given),
		cmocka_unit_test(repeated_options_and_strange_operands),
		cmocka_unit_test(settings_become_flags_of_the_configuration),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(bounds_of_numbers),
		cmocka_unit_test(help_goes_before_mistakes_behind_it),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
