/*
 * Flags become settings here. Which word of a command line is a flag has been decided by the
 * command line's own parser, which knows the keys by settings_by_flag(); a key that is unknown all
 * the same is reported like any other.
 */
#include "conf/flags.h"

#include "conf/suggest.h"
#include "conf/literal.h"

static void
report_unknown(struct draft *d, struct span key)
{
	const struct setting *near = suggest_setting(key);
	struct buf name = { 0 };

	buf_append_span(&name, key);
	buf_append_byte(&name, '\0');
	if (buf_status(&name) < 0)
		d->status = buf_status(&name);
	else if (near != NULL)
		conf_report_add(d->report, "command line", name.data,
		    "unknown setting; did you mean %s?", near->key);
	else
		conf_report_add(d->report, "command line", name.data, "unknown setting");
	buf_fini(&name);
}

static void
apply_flag(struct draft *d, const char *flag)
{
	size_t n = strcspn(flag, "=");
	const struct setting *s = settings_by_key(span_make(flag, n));
	char place[SETTING_NAME_MAX];

	if (s == NULL) {
		report_unknown(d, span_make(flag, n));
		return;
	}
	setting_flag(s, place);
	if (!setting_has_flag(s))
		conf_report_add(d->report, place, s->key,
		    "is no flag, since everybody could see it; use a file or the environment");
	else if (flag[n] == '=')
		literal_apply(d, s, span_cstr(flag + n + 1), place);
	else if (s->type == SETTING_BOOL)
		literal_apply(d, s, SPAN("true"), place);
	else
		conf_report_add(d->report, place, s->key, "needs a value");
}

void
flags_apply(struct draft *d, const char *const *flags, size_t count)
{
	draft_begin_layer(d);
	for (size_t i = 0; i < count; i++)
		apply_flag(d, flags[i]);
}
