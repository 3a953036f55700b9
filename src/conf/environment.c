/*
 * Variables become settings here. Those that begin with LURKBOT_GATEWAY__ must be known, all others
 * belong to somebody else. The aliases are a layer of their own below the proper names, so that the
 * proper name wins within one place, wherever it stands there.
 */
#include "conf/environment.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "conf/dotenv.h"
#include "conf/readfile.h"
#include "conf/secret.h"
#include "conf/suggest.h"
#include "conf/literal.h"

#define PREFIX "LURKBOT_GATEWAY__"

struct variable {
	struct span name, value;
	const char *place;
};

static bool
is_ours(struct span name)
{
	return span_has_prefix(name, SPAN(PREFIX));
}

/* The key that an unknown variable seems to mean, terminated: "gateway.prot". */
static void
append_key(struct buf *out, struct span name)
{
	buf_append_cstr(out, "gateway.");
	name = span_skip(name, strlen(PREFIX));
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		buf_append_byte(out, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
	}
	buf_append_byte(out, '\0');
}

static void
report_unknown(struct draft *d, const struct variable *v)
{
	char meant[SETTING_NAME_MAX];
	const struct setting *near;
	struct buf key = { 0 };

	append_key(&key, v->name);
	if (buf_status(&key) < 0) {
		d->status = -ENOMEM;
		return;
	}
	near = suggest_setting(span_make(key.data, key.len - 1));
	if (near != NULL) {
		setting_variable(near, meant);
		conf_report_add(
		    d->report, v->place, key.data, "unknown setting; did you mean %s?", meant);
	} else {
		conf_report_add(d->report, v->place, key.data,
		    "unknown setting; lurkbot-config(5) lists those that exist");
	}
	buf_fini(&key);
}

/* --- the environment of the process ----------------------------------------------------------- */

/*
 * Splits "NAME=value"; the place is the name, terminated in the buffer. False: no memory for that.
 */
static bool
split(const char *entry, struct buf *name, struct variable *ret)
{
	size_t n = strcspn(entry, "=");

	buf_reset(name);
	buf_append(name, entry, n);
	buf_append_byte(name, '\0');
	ret->name = span_make(entry, n);
	ret->value = span_cstr(entry + n + 1);
	ret->place = name->data;
	return buf_status(name) == 0;
}

/* Of a variable that stands there twice the first counts, as for getenv(3). */
static void
apply_once(struct draft *d, const struct setting *s, const struct variable *v)
{
	if (!draft_is_set_here(d, s))
		literal_apply(d, s, v->value, v->place);
}

static void
apply_environment(struct draft *d, char *const *environ_, bool is_alias_layer)
{
	struct buf name = { 0 };
	struct variable v;

	draft_begin_layer(d);
	for (; *environ_ != NULL; environ_++) {
		const struct setting *s;

		if (strncmp(*environ_, "LURKBOT_", 8) != 0 || strchr(*environ_, '=') == NULL)
			continue;
		if (!split(*environ_, &name, &v)) {
			d->status = -ENOMEM;
			continue;
		}
		s = is_alias_layer ? settings_by_alias(v.name) : settings_by_variable(v.name);
		if (s != NULL)
			apply_once(d, s, &v);
		else if (!is_alias_layer && is_ours(v.name))
			report_unknown(d, &v);
	}
	buf_fini(&name);
}

void
environment_apply(struct draft *d, char *const *environ_)
{
	apply_environment(d, environ_, true);
	apply_environment(d, environ_, false);
}

/* --- .env ------------------------------------------------------------------------------------- */

/* A line of .env whose name is ours or an alias. */
static void
apply_entry(
    struct draft *d, const struct setting *s, const struct dotenv_entry *entry, const char *place)
{
	struct variable v = { entry->name, entry->value, place };

	if (entry->fault != NULL)
		conf_report_add(d->report, place, NULL, "%.*s: %s",
		    (int)min_size(entry->name.n, SETTING_NAME_MAX), entry->name.p, entry->fault);
	else if (s == NULL)
		report_unknown(d, &v);
	else if (draft_is_set_here(d, s))
		conf_report_add(d->report, place, s->key, "%.*s is given twice; keep one of them",
		    SPAN_ARGS(entry->name));
	else
		literal_apply(d, s, v.value, place);
}

static void
apply_lines(struct draft *d, const char *path, struct span text, bool is_alias_layer)
{
	struct buf value = { 0 }, place = { 0 };
	struct dotenv_entry entry;
	struct dotenv lines;

	draft_begin_layer(d);
	/* No value is longer than the text: so it never grows, and leaves no copies behind. */
	if (!buf_reserve(&value, text.n))
		d->status = -ENOMEM;
	dotenv_open(&lines, text);
	while (dotenv_next(&lines, &value, &entry)) {
		const struct setting *s = is_alias_layer ? settings_by_alias(entry.name)
							 : settings_by_variable(entry.name);

		buf_reset(&place);
		buf_printf(&place, "%s:%u", path, entry.line);
		buf_append_byte(&place, '\0');
		if (buf_status(&place) < 0 || buf_status(&value) < 0)
			d->status = -ENOMEM;
		else if (s != NULL || (!is_alias_layer && is_ours(entry.name)))
			apply_entry(d, s, &entry, place.data);
	}
	buf_fini(&place);
	secret_wipe_buf(&value);
}

void
environment_apply_file(struct draft *d, const char *path)
{
	struct buf text = { 0 };
	int status = readfile(path, &text);

	if (status == 0) {
		draft_add_file(d, path, false);
		apply_lines(d, path, buf_span(&text), true);
		apply_lines(d, path, buf_span(&text), false);
	} else if (status == -ENOMEM) {
		d->status = status;
	} else if (status == -EFBIG) {
		conf_report_add(d->report, path, NULL, "is longer than %d bytes", READFILE_MAX);
	} else if (status != -ENOENT && status != -ENOTDIR) {
		conf_report_add(d->report, path, NULL, "cannot be read: %s", strerror(-status));
	}
	secret_wipe_buf(&text);
}
