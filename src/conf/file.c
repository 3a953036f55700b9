/*
 * A configuration file: JSON with // comments. Jansson judges the whole text first, so that what
 * follows walks valid JSON; then each item is found with its line, and decoded on its own. That way
 * the two values of a key given twice are both seen.
 *
 * The file belongs to all of LurkBot: only the sections below are looked into.
 */
#include "conf/file.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "conf/jsonlines.h"
#include "conf/readfile.h"
#include "conf/secret.h"
#include "conf/suggest.h"
#include "conf/token.h"
#include "conf/tokenjson.h"
#include "conf/value.h"

/* Where every key must be known. */
static const char *const sections[] = { "gateway", "cron", "hooks", "skills", NULL };

/* Strings of other parts of LurkBot may hold a NUL; ours are refused by their checks. */
enum { DECODE_FLAGS = JSON_DECODE_ANY | JSON_ALLOW_NUL };

struct file {
	struct draft *draft;
	const char *path;
	struct buf place; /* "PATH:LINE", terminated */
};

/* The place of a line, valid until the next call. */
static const char *
place_of(struct file *f, unsigned line)
{
	buf_reset(&f->place);
	buf_printf(&f->place, "%s:%u", f->path, line);
	buf_append_byte(&f->place, '\0');
	if (buf_status(&f->place) == 0)
		return f->place.data;
	f->draft->status = -ENOMEM;
	return f->path;
}

/* Decodes one item of text that was valid as a whole. NULL: no memory. */
static json_t *
decode(struct file *f, struct span text)
{
	json_t *value = json_loadb(text.p, text.n, DECODE_FLAGS, NULL);

	if (value == NULL)
		f->draft->status = -ENOMEM;
	return value;
}

/* --- values ----------------------------------------------------------------------------------- */

/* A value of the wrong type, in words: short ones as they stand. */
static void
append_shown(struct buf *out, const json_t *value, struct span text)
{
	if (json_is_object(value))
		buf_append_cstr(out, "an object");
	else if (json_is_array(value))
		buf_append_cstr(out, "a list");
	else if (json_is_string(value))
		conf_report_quote(
		    out, span_make(json_string_value(value), json_string_length(value)));
	else
		buf_printf(out, "%.*s", (int)min_size(text.n, 40), text.p);
}

static void
refuse(
    struct file *f, const struct setting *s, const json_t *value, struct span text, unsigned line)
{
	struct buf shown = { 0 };

	append_shown(&shown, value, text);
	draft_refuse(f->draft, s, buf_span(&shown), place_of(f, line));
	if (buf_status(&shown) < 0)
		f->draft->status = -ENOMEM;
	buf_fini(&shown);
}

static void
apply_item(struct file *f, const struct setting *s, const struct jsonlines_item *item, size_t index)
{
	json_t *value = decode(f, item->value);
	struct buf shown = { 0 };

	if (json_is_string(value)) {
		draft_add_item(f->draft, s,
		    span_make(json_string_value(value), json_string_length(value)), index,
		    place_of(f, item->line));
	} else if (value != NULL) {
		append_shown(&shown, value, item->value);
		draft_refuse_item(f->draft, s, buf_span(&shown), index, place_of(f, item->line));
	}
	if (buf_status(&shown) < 0)
		f->draft->status = -ENOMEM;
	buf_fini(&shown);
	json_decref(value);
}

static void
refuse_token(struct file *f, const char *key, unsigned line, int r, const char *fault)
{
	if (r == -EINVAL)
		conf_report_add(f->draft->report, place_of(f, line), key, "%s", fault);
	else
		f->draft->status = r;
}

/* An object as one of the tokens. Decoded anew, since none of its keys may come twice. */
static void
apply_token_object(
    struct file *f, const struct setting *s, const struct jsonlines_item *item, size_t index)
{
	json_error_t error;
	json_t *object =
	    json_loadb(item->value.p, item->value.n, DECODE_FLAGS | JSON_REJECT_DUPLICATES, &error);
	struct conf_token token = { 0 };
	const char *fault = "a member is given twice";
	char key[SETTING_NAME_MAX + 32];
	int r = json_error_code(&error) == json_error_duplicate_key ? -EINVAL : -ENOMEM;

	if (object != NULL)
		r = tokenjson_read(object, &token, &fault);
	snprintf(key, sizeof(key), "%s[%zu]", s->key, index);
	if (r == 0) {
		draft_add_token_take(f->draft, value_tokens(f->draft->conf, s), &token, key,
		    place_of(f, item->line));
	} else {
		refuse_token(f, key, item->line, r, fault);
		token_fini(&token);
	}
	json_decref(object);
}

static void
apply_token(
    struct file *f, const struct setting *s, const struct jsonlines_item *item, size_t index)
{
	json_t *value = decode(f, item->value);

	if (json_is_object(value))
		apply_token_object(f, s, item, index);
	else if (json_is_string(value))
		draft_add_token(f->draft, s,
		    span_make(json_string_value(value), json_string_length(value)), index,
		    place_of(f, item->line));
	else if (value != NULL)
		draft_refuse_item(f->draft, s, SPAN(""), index, place_of(f, item->line));
	json_decref(value);
}

static void
apply_list(struct file *f, const struct setting *s, const struct jsonlines_item *list)
{
	struct jsonlines_item item;
	struct jsonlines walk;

	draft_begin_list(f->draft, s, place_of(f, list->line));
	jsonlines_open(&walk, list->value, list->value_line);
	for (size_t index = 0; jsonlines_next(&walk, &item); index++) {
		if (s->type == SETTING_TOKENS)
			apply_token(f, s, &item, index);
		else
			apply_item(f, s, &item, index);
	}
}

static void
apply_value(struct file *f, const struct setting *s, const struct jsonlines_item *item)
{
	json_t *value = decode(f, item->value);
	const char *place = place_of(f, item->line);

	if (value == NULL)
		return;
	if (s->type == SETTING_BOOL && json_is_boolean(value))
		draft_set_bool(f->draft, s, json_is_true(value), place);
	else if (s->type == SETTING_INT && json_is_integer(value))
		draft_set_integer(f->draft, s, json_integer_value(value), place);
	else if ((s->type == SETTING_STRING || s->type == SETTING_ENUM) && json_is_string(value))
		draft_set_string(f->draft, s,
		    span_make(json_string_value(value), json_string_length(value)), place);
	else if (s->type == SETTING_SECRET && json_is_string(value))
		draft_set_secret(f->draft, s,
		    span_make(json_string_value(value), json_string_length(value)), place);
	else if ((s->type == SETTING_LIST || s->type == SETTING_TOKENS) && json_is_array(value))
		apply_list(f, s, item);
	else
		refuse(f, s, value, item->value, item->line);
	json_decref(value);
}

/* --- keys ------------------------------------------------------------------------------------- */

static bool
section_has_settings(struct span section)
{
	for (size_t i = 0; i < settings_count(); i++) {
		if (span_has_prefix(span_cstr(settings[i].key), section))
			return true;
	}
	return false;
}

/* The section ends with its dot. */
static void
report_unknown(struct file *f, struct span section, struct span path, const char *place)
{
	const struct setting *near = suggest_setting(path);
	struct conf_report *report = f->draft->report;

	if (near != NULL)
		conf_report_add(
		    report, place, path.p, "unknown setting; did you mean %s?", near->key);
	else if (section_has_settings(section))
		conf_report_add(report, place, path.p,
		    "unknown setting; lurkbot-config(5) lists those that exist");
	else
		conf_report_add(report, place, path.p,
		    "unknown setting; this version has none under %.*s", (int)section.n - 1,
		    section.p);
}

/*
 * Notes that the object has this key; `seen` maps keys to lines. A key given before is reported.
 */
static void
note_key(struct file *f, json_t *seen, const char *key, const char *path, unsigned line)
{
	const json_t *first = json_object_get(seen, key);

	if (first != NULL) {
		conf_report_add(f->draft->report, place_of(f, line), path,
		    "given twice, first on line %" JSON_INTEGER_FORMAT "; keep one of them",
		    json_integer_value(first));
	} else if (json_object_set_new_nocheck(seen, key, json_integer(line)) < 0) {
		f->draft->status = -ENOMEM;
	}
}

static void
apply_member(struct file *f, json_t *seen, const char *section, const struct jsonlines_item *item)
{
	json_t *key = decode(f, item->key);
	struct buf path = { 0 };
	const struct setting *s;

	if (key == NULL)
		return;
	buf_printf(&path, "%s.%s", section, json_string_value(key));
	buf_append_byte(&path, '\0');
	if (buf_status(&path) == 0) {
		note_key(f, seen, json_string_value(key), path.data, item->line);
		s = settings_by_key(span_cstr(path.data));
		if (s != NULL)
			apply_value(f, s, item);
		else
			report_unknown(f, span_make(path.data, strlen(section) + 1),
			    span_cstr(path.data), place_of(f, item->line));
	} else {
		f->draft->status = -ENOMEM;
	}
	buf_fini(&path);
	json_decref(key);
}

static void
apply_section(struct file *f, const char *section, const struct jsonlines_item *item)
{
	json_t *seen;
	struct jsonlines_item member;
	struct jsonlines walk;

	if (item->value.p[0] != '{') {
		conf_report_add(f->draft->report, place_of(f, item->line), section,
		    "must be an object with settings, in braces");
		return;
	}
	seen = json_object();
	if (seen == NULL) {
		f->draft->status = -ENOMEM;
		return;
	}
	jsonlines_open(&walk, item->value, item->value_line);
	while (jsonlines_next(&walk, &member))
		apply_member(f, seen, section, &member);
	json_decref(seen);
}

static const char *
section_named(const json_t *key)
{
	for (size_t i = 0; sections[i] != NULL; i++) {
		if (strcmp(json_string_value(key), sections[i]) == 0)
			return sections[i];
	}
	return NULL;
}

static void
apply_sections(struct file *f, struct span text)
{
	json_t *seen = json_object();
	struct jsonlines_item item;
	struct jsonlines walk;

	jsonlines_open(&walk, text, 1);
	while (seen != NULL && jsonlines_next(&walk, &item)) {
		json_t *key = decode(f, item.key);
		const char *section = key != NULL ? section_named(key) : NULL;

		if (section != NULL) {
			note_key(f, seen, section, section, item.line);
			apply_section(f, section, &item);
		}
		json_decref(key);
	}
	if (seen == NULL)
		f->draft->status = -ENOMEM;
	json_decref(seen);
}

/* --- the file as a whole ---------------------------------------------------------------------- */

/* Jansson often fails for want of memory without a word; then the line is -1 as well. */
static bool
is_out_of_memory(const json_error_t *error)
{
	return json_error_code(error) == json_error_out_of_memory || error->text[0] == '\0';
}

/* Without the text that Jansson quotes: a secret may stand there, and who hears of it may be anyone. */
static int
length_without_quote(const char *text)
{
	const char *quote = strstr(text, " near '");

	return quote != NULL ? (int)(quote - text) : (int)strlen(text);
}

static void
apply_text(struct file *f, struct buf *text)
{
	json_error_t error;
	json_t *root;

	jsonlines_strip_comments(text->data, text->len);
	root = json_loadb(text->data, text->len, DECODE_FLAGS, &error);
	if (root == NULL && is_out_of_memory(&error))
		f->draft->status = -ENOMEM;
	else if (root == NULL)
		conf_report_add(f->draft->report, place_of(f, (unsigned)error.line), NULL,
		    "no valid JSON: %.*s", length_without_quote(error.text), error.text);
	else if (!json_is_object(root))
		conf_report_add(f->draft->report, place_of(f, 1), NULL,
		    "must be one JSON object, such as {\"gateway\": {\"port\": 18789}}");
	else
		apply_sections(f, buf_span(text));
	json_decref(root);
}

void
file_apply(struct draft *d, const char *path, bool is_required)
{
	struct file f = { .draft = d, .path = path };
	struct buf text = { 0 };
	int status = readfile(path, &text);

	draft_begin_layer(d);
	if (status == 0) {
		draft_add_file(d, path, true);
		apply_text(&f, &text);
	} else if (status == -ENOMEM) {
		d->status = status;
	} else if (status == -EFBIG) {
		conf_report_add(d->report, path, NULL, "is longer than %d bytes", READFILE_MAX);
	} else if (is_required || (status != -ENOENT && status != -ENOTDIR)) {
		conf_report_add(d->report, path, NULL, "cannot be read: %s", strerror(-status));
	}
	secret_wipe_buf(&text);
	buf_fini(&f.place);
}
