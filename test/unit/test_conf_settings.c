/*
 * The table: its rows are sound, and names lead to them and back.
 */
#include "support_cmocka.h"

#include "base/macros.h"
#include "conf/data.h"
#include "conf/settings.h"

static void
rows_are_sound(void **state)
{
	(void)state;
	assert_true(settings_count() > 0);
	for (size_t i = 0; i < settings_count(); i++) {
		const struct setting *s = &settings[i];

		assert_int_equal(settings_index(s), i);
		assert_true(span_has_prefix(span_cstr(s->key), SPAN("gateway.")));
		assert_true(s->offset + s->size <= sizeof(struct conf));
		assert_non_null(s->default_text);
		assert_non_null(s->help);
		assert_true(s->help[strlen(s->help) - 1] != '.');
		assert_int_equal(s->type == SETTING_INT, s->min < s->max);
		assert_int_equal(s->type == SETTING_ENUM, s->choices != NULL);
		assert_int_equal(
		    s->type == SETTING_STRING || s->type == SETTING_LIST, s->check != NULL);
		assert_int_equal(s->check != NULL, s->wanted != NULL);
		assert_int_equal(s->type == SETTING_LIST, s->count_offset != 0);
		assert_true(strlen(s->key) < SETTING_NAME_MAX);
	}
}

/* Whatever is within the bounds fits the member. */
static void
members_hold_their_bounds(void **state)
{
	(void)state;
	for (size_t i = 0; i < settings_count(); i++) {
		const struct setting *s = &settings[i];

		if (s->type != SETTING_INT)
			continue;
		assert_true(s->min >= 0);
		assert_true(s->size == 2 || s->size == 4 || s->size == 8);
		if (s->size == 2)
			assert_true(s->max <= UINT16_MAX);
		if (s->size == 4)
			assert_true(s->max <= INT32_MAX);
	}
}

static void
names_lead_to_rows_and_back(void **state)
{
	char name[SETTING_NAME_MAX];

	(void)state;
	for (size_t i = 0; i < settings_count(); i++) {
		const struct setting *s = &settings[i];

		assert_ptr_equal(settings_by_key(span_cstr(s->key)), s);
		setting_flag(s, name);
		assert_ptr_equal(settings_by_flag(span_cstr(name)), setting_has_flag(s) ? s : NULL);
		assert_ptr_equal(
		    settings_by_flag(span_cstr(name + 2)), setting_has_flag(s) ? s : NULL);
		setting_variable(s, name);
		assert_ptr_equal(settings_by_variable(span_cstr(name)), s);
		assert_null(settings_by_alias(span_cstr(name)));
	}
}

static void
names_follow_the_rule(void **state)
{
	const struct setting *s = settings_by_key(SPAN("gateway.log_level"));
	char name[SETTING_NAME_MAX];

	(void)state;
	assert_non_null(s);
	setting_flag(s, name);
	assert_string_equal(name, "--log-level");
	setting_variable(s, name);
	assert_string_equal(name, "LURKBOT_GATEWAY__LOG_LEVEL");
}

static void
unknown_names_lead_nowhere(void **state)
{
	(void)state;
	assert_null(settings_by_key(SPAN("port")));
	assert_null(settings_by_key(SPAN("gateway.")));
	assert_null(settings_by_key(SPAN("gateway.Port")));
	assert_null(settings_by_flag(SPAN("--log_level")));
	assert_null(settings_by_flag(SPAN("--")));
	assert_null(settings_by_flag(SPAN("-port")));
	assert_null(settings_by_variable(SPAN("LURKBOT_GATEWAY__port")));
	assert_null(settings_by_variable(SPAN("LURKBOT_GATEWAY_PORT")));
	assert_null(settings_by_alias(SPAN("LURKBOT_GATEWAY_WORKERS")));
}

static void
aliases(void **state)
{
	(void)state;
	assert_ptr_equal(
	    settings_by_alias(SPAN("LURKBOT_GATEWAY_PORT")), settings_by_key(SPAN("gateway.port")));
	assert_ptr_equal(
	    settings_by_alias(SPAN("LURKBOT_GATEWAY_HOST")), settings_by_key(SPAN("gateway.host")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_sound),
		cmocka_unit_test(members_hold_their_bounds),
		cmocka_unit_test(names_lead_to_rows_and_back),
		cmocka_unit_test(names_follow_the_rule),
		cmocka_unit_test(unknown_names_lead_nowhere),
		cmocka_unit_test(aliases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
