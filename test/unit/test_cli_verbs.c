/*
 * The tables of verbs and options are sound, and what follows from them: finding a verb, guessing
 * one, and the help texts.
 */
#include "support_cmocka.h"

#include "cli/help.h"
#include "cli/verbs.h"
#include "conf/settings.h"

static bool
takes(const struct verb *verb, unsigned id)
{
	return id == OPTION_HELP || (verb->syntax.options & OPTION_BIT(id)) != 0;
}

static bool
contains(const struct buf *text, const char *part)
{
	return text->len > 0 && memmem(text->data, text->len, part, strlen(part)) != NULL;
}

static void
verbs_are_complete_and_unique(void **state)
{
	(void)state;
	assert_true(verbs_count() > 0);
	for (size_t i = 0; i < verbs_count(); i++) {
		const struct verb *verb = &verbs[i];

		assert_non_null(verb->run);
		assert_true(strlen(verb->help) > 0);
		assert_true(verb->help[strlen(verb->help) - 1] != '.');
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(verb->path, verbs[j].path);
	}
}

/* Two options of one verb never share a name or a letter, and none is a setting's flag as well. */
static void
options_of_a_verb_do_not_clash(void **state)
{
	(void)state;
	for (size_t i = 0; i < verbs_count(); i++) {
		for (unsigned a = 0; a < OPTION_ID_COUNT; a++) {
			if (!takes(&verbs[i], a))
				continue;
			if (verbs[i].syntax.takes_settings)
				assert_null(settings_by_flag(span_cstr(cli_options[a].name)));
			for (unsigned b = 0; b < a; b++) {
				if (!takes(&verbs[i], b))
					continue;
				assert_string_not_equal(cli_options[a].name, cli_options[b].name);
				assert_true(cli_options[a].letter == '\0' ||
					    cli_options[a].letter != cli_options[b].letter);
			}
		}
	}
}

static void
every_option_is_complete_and_used(void **state)
{
	(void)state;
	for (unsigned id = 0; id < OPTION_ID_COUNT; id++) {
		const struct cli_option *option = &cli_options[id];
		bool used = false;

		assert_true(strncmp(option->name, "--", 2) == 0);
		assert_non_null(option->help);
		assert_int_equal(option->kind == OPTION_FLAG, option->argument == NULL);
		assert_true(option->kind != OPTION_NUMBER || option->max > option->min);
		for (size_t i = 0; i < verbs_count(); i++)
			used = used || takes(&verbs[i], id);
		assert_true(used);
	}
}

static const char *
find(int argc, const char *const *words, int *ret_used)
{
	char *argv[8];

	for (int i = 0; i < argc; i++)
		argv[i] = (char *)(uintptr_t)words[i];
	const struct verb *verb = verbs_find(argc, argv, ret_used);

	return verb != NULL ? verb->path : NULL;
}

static void
verbs_are_found_by_their_words(void **state)
{
	int used;

	(void)state;
	assert_string_equal(
	    find(3, (const char *[]){ "gateway", "start", "--daemon" }, &used), "gateway start");
	assert_int_equal(used, 2);
	assert_string_equal(find(4, (const char *[]){ "gateway", "config", "show", "x" }, &used),
	    "gateway config show");
	assert_int_equal(used, 3);
	assert_null(find(2, (const char *[]){ "gateway", "config" }, &used));
	assert_int_equal(used, 2);
	assert_null(find(2, (const char *[]){ "gateway", "star" }, &used));
	assert_int_equal(used, 1);
	assert_null(find(2, (const char *[]){ "gateway", "starter" }, &used));
	assert_int_equal(used, 1);
	assert_null(find(1, (const char *[]){ "" }, &used));
	assert_int_equal(used, 0);
	assert_null(find(0, NULL, &used));
	assert_int_equal(used, 0);
}

static const char *
suggest(int argc, const char *const *words)
{
	char *argv[8];

	for (int i = 0; i < argc; i++)
		argv[i] = (char *)(uintptr_t)words[i];
	return verbs_suggest(argc, argv);
}

static void
verbs_are_guessed(void **state)
{
	(void)state;
	assert_string_equal(suggest(2, (const char *[]){ "gateway", "satrt" }), "gateway start");
	assert_string_equal(suggest(2, (const char *[]){ "gatway", "stop" }), "gateway stop");
	assert_string_equal(suggest(1, (const char *[]){ "status" }), "gateway status");
	assert_string_equal(
	    suggest(2, (const char *[]){ "config", "check" }), "gateway config check");
	assert_string_equal(
	    suggest(3, (const char *[]){ "gateway", "cal", "some.method" }), "gateway call");
	assert_string_equal(suggest(2, (const char *[]){ "tail", "--json" }), "gateway tail");
	assert_null(suggest(1, (const char *[]){ "frobnicate" }));
	assert_null(suggest(1, (const char *[]){ "--verbose" }));
}

static void
help_tells_every_option(void **state)
{
	(void)state;
	for (size_t i = 0; i < verbs_count(); i++) {
		const struct verb *verb = &verbs[i];
		struct buf text = { 0 };
		char flag[SETTING_NAME_MAX];

		help_verb(&text, verb);
		assert_int_equal(buf_status(&text), 0);
		assert_true(contains(&text, verb->path));
		assert_true(contains(&text, verb->help));
		for (unsigned id = 0; id < OPTION_ID_COUNT; id++) {
			if (takes(verb, id))
				assert_true(contains(&text, cli_options[id].help));
		}
		for (size_t s = 0; verb->syntax.takes_settings && s < settings_count(); s++) {
			if (!setting_has_flag(&settings[s]))
				continue;
			setting_flag(&settings[s], flag);
			assert_true(contains(&text, flag));
			assert_true(contains(&text, settings[s].help));
		}
		buf_fini(&text);
	}
}

static void
lists_are_those_below_the_words(void **state)
{
	char gateway[] = "gateway", config[] = "config";
	char *argv[] = { gateway, config };
	struct buf all = { 0 }, some = { 0 };

	(void)state;
	help_list(&all, argv, 0);
	for (size_t i = 0; i < verbs_count(); i++)
		assert_true(contains(&all, verbs[i].path));
	help_list(&some, argv, 2);
	assert_true(contains(&some, "gateway config show"));
	assert_false(contains(&some, "gateway start"));
	buf_fini(&all);
	buf_fini(&some);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verbs_are_complete_and_unique),
		cmocka_unit_test(options_of_a_verb_do_not_clash),
		cmocka_unit_test(every_option_is_complete_and_used),
		cmocka_unit_test(verbs_are_found_by_their_words),
		cmocka_unit_test(verbs_are_guessed),
		cmocka_unit_test(help_tells_every_option),
		cmocka_unit_test(lists_are_those_below_the_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
