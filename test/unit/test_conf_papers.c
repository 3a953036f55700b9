/*
 * The sample file and the manual page against the table: both state every setting, and nothing that
 * the table does not say. Both are found from the top of the source tree.
 */
#include "support_conf.h"

#include <inttypes.h>

#include "conf/readfile.h"

static const char sample_path[] = "etc/config.json";
static const char manual_path[] = "man/lurkbot-config.5";

static void
read_paper(const char *path, struct buf *out)
{
	assert_int_equal(readfile(path, out), 0);
	buf_append_byte(out, '\0');
	assert_int_equal(buf_status(out), 0);
}

static void
the_sample_states_every_default(void **state)
{
	struct house *h = *state;
	struct buf defaults = { 0 }, sample = { 0 };

	house_load(h);
	conf_write(h->conf, &defaults, false);
	h->request.config_file = sample_path;
	house_load(h);
	conf_write(h->conf, &sample, false);
	assert_true(span_is_equal(buf_span(&defaults), buf_span(&sample)));
	for (size_t i = 0; i < settings_count(); i++) {
		if (strcmp(conf_source(h->conf, &settings[i]), "built-in") == 0)
			fail_msg("%s lacks %s", sample_path, settings[i].key);
	}
	buf_fini(&defaults);
	buf_fini(&sample);
}

/* In the order of the table, each below a comment that states its bounds. */
static void
the_sample_explains_every_setting(void **state)
{
	struct buf text = { 0 };
	const char *place;

	(void)state;
	read_paper(sample_path, &text);
	place = text.data;
	for (size_t i = 0; i < settings_count(); i++) {
		const struct setting *s = &settings[i];
		char wanted[SETTING_NAME_MAX + 8], bounds[64];
		const char *comment = strstr(place, "\n\t\t//");

		snprintf(wanted, sizeof(wanted), "\n\t\t\"%s\": ", strchr(s->key, '.') + 1);
		place = strstr(place, wanted);
		if (place == NULL || comment == NULL || comment > place)
			fail_msg("%s does not explain %s here", sample_path, s->key);
		snprintf(bounds, sizeof(bounds), "%" PRId64 " to %" PRId64, s->min, s->max);
		if (s->type == SETTING_INT &&
		    memmem(comment, (size_t)(place - comment), bounds, strlen(bounds)) == NULL)
			fail_msg("%s: the bounds of %s are %s", sample_path, s->key, bounds);
	}
	buf_fini(&text);
}

/* What the manual says of a setting before it explains it. */
static void
write_entry(const struct setting *s, struct buf *out)
{
	const char *value = s->default_text[0] == '\0' ? "empty" : s->default_text;
	char flag[SETTING_NAME_MAX], variable[SETTING_NAME_MAX];

	setting_flag(s, flag);
	setting_variable(s, variable);
	buf_printf(out, "\n.It Ic %s\nType: %s", s->key, setting_type_name(s->type));
	if (s->type == SETTING_INT)
		buf_printf(out, ", %" PRId64 " to %" PRId64, s->min, s->max);
	if (s->unit != NULL)
		buf_printf(out, ", in %s", s->unit);
	buf_printf(
	    out, ".\nDefault: %s.\nChanged by: %s.\n", value, setting_change_name(s->changed_by));
	buf_printf(out, "Variable:\n.Ev %s .\n", variable);
	if (setting_has_flag(s))
		buf_printf(out, "Flag:\n.Fl %s .\n", flag + 1);
	buf_append_cstr(out, ".Pp\n");
	buf_append_byte(out, '\0');
}

static void
the_manual_describes_every_setting(void **state)
{
	struct buf text = { 0 };
	const char *place;

	(void)state;
	read_paper(manual_path, &text);
	place = text.data;
	for (size_t i = 0; i < settings_count(); i++) {
		struct buf entry = { 0 };

		write_entry(&settings[i], &entry);
		assert_int_equal(buf_status(&entry), 0);
		place = strstr(place, entry.data);
		if (place == NULL)
			fail_msg("%s lacks here:%s", manual_path, entry.data);
		for (size_t j = 0; settings[i].choices != NULL && settings[i].choices[j] != NULL;
		     j++)
			assert_non_null(strstr(place, settings[i].choices[j]));
		buf_fini(&entry);
	}
	buf_fini(&text);
}

static void
the_manual_describes_nothing_else(void **state)
{
	struct buf text = { 0 };
	size_t count = 0;

	(void)state;
	read_paper(manual_path, &text);
	for (const char *p = text.data; (p = strstr(p, "\n.It Ic ")) != NULL; p++)
		count++;
	assert_int_equal(count, settings_count());
	buf_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		house_test(the_sample_states_every_default),
		cmocka_unit_test(the_sample_explains_every_setting),
		cmocka_unit_test(the_manual_describes_every_setting),
		cmocka_unit_test(the_manual_describes_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
