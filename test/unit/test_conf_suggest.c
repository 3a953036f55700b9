/*
 * "Did you mean".
 */
#include "support_cmocka.h"

#include "conf/suggest.h"

static void
assert_distance(const char *a, const char *b, unsigned should)
{
	assert_int_equal(suggest_distance(span_cstr(a), span_cstr(b)), should);
	assert_int_equal(suggest_distance(span_cstr(b), span_cstr(a)), should);
}

static void
distances(void **state)
{
	char longer[SETTING_NAME_MAX + 2] = { 0 };

	(void)state;
	assert_distance("", "", 0);
	assert_distance("port", "port", 0);
	assert_distance("PORT", "port", 0);
	assert_distance("", "ab", 2);
	assert_distance("", "abc", 3);
	assert_distance("port", "pot", 1);
	assert_distance("port", "sport", 1);
	assert_distance("port", "pert", 1);
	assert_distance("port", "prot", 1);
	assert_distance("port", "prto", 2);
	assert_distance("abcd", "badc", 2);
	assert_distance("port", "host", 2);
	assert_distance("abcd", "wxyz", 3);
	memset(longer, 'a', SETTING_NAME_MAX);
	assert_distance(longer, longer, 0);
	longer[SETTING_NAME_MAX] = 'a';
	assert_distance(longer, longer, 3);
}

static void
settings_are_found(void **state)
{
	(void)state;
	assert_string_equal(suggest_setting(SPAN("gateway.prot"))->key, "gateway.port");
	assert_string_equal(suggest_setting(SPAN("gateway.logLevel"))->key, "gateway.log_level");
	assert_string_equal(
	    suggest_setting(SPAN("gateway.maxPayload"))->key, "gateway.max_payload");
	assert_null(suggest_setting(SPAN("gateway.no_such_thing")));
	assert_null(suggest_setting(SPAN("cron.port")));
}

/* Of two that are equally near the first; of others the nearest. */
static void
words_are_found(void **state)
{
	static const char *const words[] = { "text", "tax", "json", NULL };

	(void)state;
	assert_string_equal(suggest_word(SPAN("tex"), words), "text");
	assert_string_equal(suggest_word(SPAN("ta"), words), "tax");
	assert_string_equal(suggest_word(SPAN("JSON"), words), "json");
	assert_null(suggest_word(SPAN("yaml"), words));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(distances),
		cmocka_unit_test(settings_are_found),
		cmocka_unit_test(words_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
