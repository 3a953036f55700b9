/*
 * The grammar of names and patterns.
 */
#include "support_cmocka.h"

#include <string.h>

#include "proto/names.h"

static void
test_valid_names(void **state)
{
	static const char *const good[] = { "a", "A", "0", "_", "-", "health", "sessions.list",
		"a.b.c.d", "A-Z_0-9.x", "-.-", "gateway.connected" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (!name_is_valid(span_cstr(good[i])))
			fail_msg("refused: %s", good[i]);
	}
}

static void
test_invalid_names(void **state)
{
	static const char *const bad[] = { "", ".", "a.", ".a", "a..b", "a b", "a*", "a.*", "*",
		"a/b", "a:b", "\xc3\xa9", "a\n", "@", "[", "`", "{", "a,b", "a+b" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (name_is_valid(span_cstr(bad[i])))
			fail_msg("taken: %s", bad[i]);
	}
	assert_false(name_is_valid(SPAN("a\0")));
	assert_false(name_is_valid(span_make(NULL, 0)));
}

static void
test_every_byte(void **state)
{
	static const char allowed[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

	(void)state;
	for (int c = 1; c < 256; c++) {
		char byte = (char)c;

		assert_int_equal(name_is_valid(span_make(&byte, 1)), strchr(allowed, c) != NULL);
	}
}

static void
test_lengths(void **state)
{
	char text[140];

	(void)state;
	memset(text, 'n', sizeof(text));
	assert_true(name_is_valid(span_make(text, 128)));
	assert_false(name_is_valid(span_make(text, 129)));
	memcpy(text + 128, ".*", 2);
	assert_true(pattern_is_valid(span_make(text, 130)));
	memcpy(text + 129, ".*", 2);
	text[128] = 'n';
	assert_false(pattern_is_valid(span_make(text, 131)));
}

static void
test_patterns(void **state)
{
	(void)state;
	assert_true(pattern_is_valid(SPAN("*")));
	assert_true(pattern_is_valid(SPAN("session.*")));
	assert_true(pattern_is_valid(SPAN("a.b.*")));
	assert_true(pattern_is_valid(SPAN("session.message")));
	assert_false(pattern_is_valid(SPAN("")));
	assert_false(pattern_is_valid(SPAN(".*")));
	assert_false(pattern_is_valid(SPAN("**")));
	assert_false(pattern_is_valid(SPAN("*.*")));
	assert_false(pattern_is_valid(SPAN("*.a")));
	assert_false(pattern_is_valid(SPAN("a*")));
	assert_false(pattern_is_valid(SPAN("a.*.b")));
	assert_false(pattern_is_valid(SPAN("a..*")));
	assert_false(pattern_is_valid(SPAN("a.**")));
	assert_false(pattern_is_valid(span_make(NULL, 0)));
}

static void
test_matching(void **state)
{
	(void)state;
	assert_true(pattern_matches(SPAN("*"), SPAN("session.message")));
	assert_true(pattern_matches(SPAN("session.*"), SPAN("session.message")));
	assert_true(pattern_matches(SPAN("session.*"), SPAN("session.a.b")));
	assert_false(pattern_matches(SPAN("session.*"), SPAN("session")));
	assert_false(pattern_matches(SPAN("session.*"), SPAN("sessions.list")));
	assert_false(pattern_matches(SPAN("session.*"), SPAN("x.session.a")));
	assert_true(pattern_matches(SPAN("session"), SPAN("session")));
	assert_false(pattern_matches(SPAN("session"), SPAN("session.message")));
	assert_false(pattern_matches(SPAN("a.b.*"), SPAN("a.c.d")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid_names),
		cmocka_unit_test(test_invalid_names),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_matching),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
