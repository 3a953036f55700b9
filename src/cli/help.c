/*
 * Two columns: what is typed, and what it does; the second begins where the longest of the first
 * ends, but not further right than COLUMN_MAX.
 */
#include "cli/help.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/macros.h"
#include "base/span.h"
#include "cli/option.h"
#include "cli/verbs.h"
#include "conf/settings.h"

enum { LEFT_MAX = 96, COLUMN_MAX = 34 };

static void
append_row(struct buf *out, const char *left, size_t column, const char *right)
{
	size_t n = strlen(left);

	buf_printf(out, "  %s", left);
	if (n > column) {
		buf_append_byte(out, '\n');
		n = 0;
		buf_append_cstr(out, "  ");
	}
	buf_printf(out, "%*s  %s\n", (int)(column - n), "", right);
}

static void
format_option(const struct cli_option *option, char left[LEFT_MAX])
{
	char letter[8] = "";

	if (option->letter != '\0')
		snprintf(letter, sizeof(letter), "-%c, ", option->letter);
	snprintf(left, LEFT_MAX, "%s%s%s%s", letter, option->name,
	    option->argument != NULL ? " " : "", option->argument != NULL ? option->argument : "");
}

static const char *
setting_argument(const struct setting *s)
{
	switch (s->type) {
	case SETTING_BOOL:
		return "[=BOOL]";
	case SETTING_INT:
		return " N";
	case SETTING_STRING:
		return " TEXT";
	case SETTING_ENUM:
		return " WORD";
	case SETTING_LIST:
		return " A,B,...";
	case SETTING_SECRET:
	case SETTING_TOKENS:
		break;
	}
	return "";
}

static void
format_setting(const struct setting *s, char left[LEFT_MAX])
{
	char flag[SETTING_NAME_MAX];

	setting_flag(s, flag);
	snprintf(left, LEFT_MAX, "%s%s", flag, setting_argument(s));
}

/* The help of a setting, and what a value must be. */
static void
describe_setting(struct buf *out, const struct setting *s)
{
	buf_append_cstr(out, s->help);
	buf_append_cstr(out, " (");
	for (size_t i = 0; s->choices != NULL && s->choices[i] != NULL; i++)
		buf_printf(out, "%s%s", i > 0 ? ", " : "", s->choices[i]);
	if (s->type == SETTING_INT)
		buf_printf(out, "%" PRId64 " to %" PRId64 "%s%s", s->min, s->max,
		    s->unit != NULL ? " " : "", s->unit != NULL ? s->unit : "");
	else if (s->choices == NULL)
		buf_append_cstr(out, setting_type_name(s->type));
	if (s->default_text[0] != '\0')
		buf_printf(out, "; default %s", s->default_text);
	buf_append_byte(out, ')');
}

static void
append_setting(struct buf *out, const struct setting *s, size_t column)
{
	char left[LEFT_MAX];
	struct buf text = { 0 };

	format_setting(s, left);
	describe_setting(&text, s);
	buf_append_byte(&text, '\0');
	append_row(out, left, column, buf_status(&text) == 0 ? text.data : s->help);
	buf_fini(&text);
}

static bool
verb_takes(const struct verb *v, unsigned id)
{
	return id == OPTION_HELP || (v->syntax.options & OPTION_BIT(id)) != 0;
}

static size_t
option_column(const struct verb *v)
{
	char left[LEFT_MAX];
	size_t column = 0;

	for (unsigned id = 0; id < OPTION_ID_COUNT; id++) {
		if (!verb_takes(v, id))
			continue;
		format_option(&cli_options[id], left);
		column = max_size(column, strlen(left));
	}
	for (size_t i = 0; v->syntax.takes_settings && i < settings_count(); i++) {
		if (!setting_has_flag(&settings[i]))
			continue;
		format_setting(&settings[i], left);
		column = max_size(column, strlen(left));
	}
	return min_size(column, COLUMN_MAX);
}

void
help_verb(struct buf *out, const struct verb *v)
{
	size_t column = option_column(v);
	char left[LEFT_MAX];

	buf_printf(out, "Usage: lurkbot %s [OPTION]...%s%s\n\n%s.\n", v->path,
	    v->syntax.operand != NULL ? " " : "",
	    v->syntax.operand != NULL ? v->syntax.operand : "", v->help);
	if (v->about != NULL)
		buf_printf(out, "\n%s", v->about);
	buf_append_cstr(out, "\nOptions:\n");
	for (unsigned id = 0; id < OPTION_ID_COUNT; id++) {
		if (!verb_takes(v, id))
			continue;
		format_option(&cli_options[id], left);
		append_row(out, left, column, cli_options[id].help);
	}
	if (!v->syntax.takes_settings)
		return;
	buf_append_cstr(out, "\nSettings, which go before the environment and the files:\n");
	for (size_t i = 0; i < settings_count(); i++) {
		if (setting_has_flag(&settings[i]))
			append_setting(out, &settings[i], column);
	}
}

void
help_list(struct buf *out, char *const *argv, int n)
{
	size_t column = 0;

	for (size_t i = 0; i < verbs_count(); i++)
		column = max_size(column, strlen(verbs[i].path));
	buf_append_cstr(out, "Usage: lurkbot");
	for (int i = 0; i < n; i++)
		buf_printf(out, " %s", argv[i]);
	buf_append_cstr(out, " VERB [OPTION]...\n\nVerbs:\n");
	for (size_t i = 0; i < verbs_count(); i++) {
		if (verb_is_below(&verbs[i], argv, n))
			append_row(out, verbs[i].path, column, verbs[i].help);
	}
	buf_append_cstr(out,
	    "\nlurkbot VERB --help tells about one of them; lurkbot --version tells the version.\n"
	    "\nExit status: 0 done; 1 failed; 2 wrong command line or configuration;\n"
	    "3 cannot connect, or not running; 4 authentication failed.\n");
}
