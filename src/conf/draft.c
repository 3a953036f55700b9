/*
 * Lays values over each other and refuses what the table does not allow. Every value, whatever
 * layer and form it comes from, passes through here, so that bounds and messages are the same
 * everywhere.
 */
#include "conf/draft.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "conf/key.h"
#include "conf/scope.h"
#include "conf/suggest.h"
#include "conf/token.h"
#include "conf/value.h"

static void
note_status(struct draft *d, int status)
{
	if (status < 0)
		d->status = status;
}

/* --- life ------------------------------------------------------------------------------------- */

int
draft_init(struct draft *d, struct conf_report *report)
{
	*d = (struct draft){ .report = report };
	d->conf = mem_zalloc(sizeof(*d->conf));
	d->marks = mem_array(settings_count(), sizeof(*d->marks));
	if (d->conf == NULL || d->marks == NULL)
		return -ENOMEM;
	d->conf->sources = mem_array(settings_count(), sizeof(*d->conf->sources));
	return d->conf->sources != NULL ? 0 : -ENOMEM;
}

struct conf *
draft_steal(struct draft *d)
{
	struct conf *conf = d->conf;

	d->conf = NULL;
	return conf;
}

void
draft_fini(struct draft *d)
{
	draft_free_conf(d->conf);
	mem_free(d->marks);
	*d = (struct draft){ 0 };
}

void
draft_free_conf(struct conf *conf)
{
	if (conf == NULL)
		return;
	for (size_t i = 0; i < settings_count(); i++) {
		value_clear(conf, &settings[i]);
		if (conf->sources != NULL)
			mem_free(conf->sources[i]);
	}
	for (size_t i = 0; i < conf->files_count; i++)
		mem_free(conf->files[i]);
	tokens_fini(&conf->file_tokens);
	key_fini(&conf->tls_cert_pem);
	key_fini(&conf->tls_key_pem);
	key_fini(&conf->jwt_secret);
	key_fini(&conf->jwt_public_key);
	mem_free(conf->sources);
	mem_free(conf->files);
	mem_free(conf->config_path);
	mem_free(conf->home);
	mem_free(conf);
}

void
draft_begin_layer(struct draft *d)
{
	d->layer++;
}

void
draft_add_file(struct draft *d, const char *path, bool is_config)
{
	struct conf *conf = d->conf;
	char **longer = mem_resize(conf->files, (conf->files_count + 1) * sizeof(*longer));

	if (longer == NULL) {
		d->status = -ENOMEM;
		return;
	}
	conf->files = longer;
	conf->files[conf->files_count] = mem_strndup(span_cstr(path));
	if (conf->files[conf->files_count] == NULL)
		d->status = -ENOMEM;
	else
		conf->files_count++;
	if (!is_config)
		return;
	mem_free(conf->config_path);
	conf->config_path = mem_strndup(span_cstr(path));
	if (conf->config_path == NULL)
		d->status = -ENOMEM;
}

bool
draft_is_set_here(const struct draft *d, const struct setting *s)
{
	return d->marks[settings_index(s)].layer == d->layer;
}

unsigned
draft_layer_of(const struct draft *d, const struct setting *s)
{
	return d->marks[settings_index(s)].layer;
}

bool
draft_is_bad(const struct draft *d, const struct setting *s)
{
	return d->marks[settings_index(s)].is_bad;
}

/* --- what a setting must be, in words --------------------------------------------------------- */

static void
describe_choices(struct buf *out, const struct setting *s)
{
	for (const char *const *choice = s->choices; *choice != NULL; choice++) {
		if (choice != s->choices)
			buf_append_cstr(out, choice[1] == NULL ? " or " : ", ");
		buf_printf(out, "\"%s\"", *choice);
	}
}

static void
describe_integer(struct buf *out, const struct setting *s)
{
	buf_printf(out, "an integer from %" PRId64 " to %" PRId64, s->min, s->max);
	if (s->unit != NULL)
		buf_printf(out, " (%s)", s->unit);
}

static void
describe(struct buf *out, const struct setting *s, bool is_item)
{
	switch (s->type) {
	case SETTING_BOOL:
		buf_append_cstr(out, "true or false");
		return;
	case SETTING_INT:
		describe_integer(out, s);
		return;
	case SETTING_ENUM:
		describe_choices(out, s);
		return;
	case SETTING_STRING:
		buf_append_cstr(out, s->wanted);
		return;
	case SETTING_LIST:
		buf_append_cstr(out, is_item ? s->wanted : "a list of strings");
		return;
	case SETTING_SECRET:
		buf_append_cstr(
		    out, "1 to 4096 visible ASCII characters, or sha256: and 64 digits");
		return;
	case SETTING_TOKENS:
		buf_append_cstr(
		    out, is_item ? "a token of 1 to 4096 visible ASCII characters, sha256: and 64 "
				   "digits, or an object"
				 : "a list of tokens");
		return;
	}
}

/* One line of the report; the key is the setting's own, or that of one of its items. */
static void
refuse(
    struct draft *d, const struct setting *s, const char *key, struct span shown, const char *place)
{
	struct buf text = { 0 };

	describe(&text, s, strcmp(key, s->key) != 0);
	/* Where a secret should stand, what stands there may be one. */
	if (!s->is_secret) {
		buf_append_cstr(&text, ", not ");
		buf_append_span(&text, shown);
	}
	conf_report_add(d->report, place, key, "must be %.*s", SPAN_ARGS(buf_span(&text)));
	note_status(d, buf_status(&text));
	buf_fini(&text);
	d->marks[settings_index(s)].is_bad = true;
}

void
draft_refuse(struct draft *d, const struct setting *s, struct span shown, const char *place)
{
	d->marks[settings_index(s)].layer = d->layer;
	refuse(d, s, s->key, shown, place);
}

void
draft_refuse_text(struct draft *d, const struct setting *s, struct span text, const char *place)
{
	const char *near = s->type == SETTING_ENUM ? suggest_word(text, s->choices) : NULL;
	struct buf shown = { 0 };

	conf_report_quote(&shown, text);
	if (near != NULL)
		buf_printf(&shown, "; did you mean \"%s\"?", near);
	draft_refuse(d, s, buf_span(&shown), place);
	note_status(d, buf_status(&shown));
	buf_fini(&shown);
}

void
draft_refuse_item(
    struct draft *d, const struct setting *s, struct span shown, size_t index, const char *place)
{
	char key[SETTING_NAME_MAX + 32];

	snprintf(key, sizeof(key), "%s[%zu]", s->key, index);
	refuse(d, s, key, shown, place);
}

/* --- typed values ----------------------------------------------------------------------------- */

/* The value of this layer is good: it was here that it came from. */
static void
accept(struct draft *d, const struct setting *s, const char *place)
{
	char **source = &d->conf->sources[settings_index(s)];
	char *copy = mem_strndup(span_cstr(place));

	d->marks[settings_index(s)].layer = d->layer;
	if (copy == NULL) {
		d->status = -ENOMEM;
		return;
	}
	mem_free(*source);
	*source = copy;
}

void
draft_set_bool(struct draft *d, const struct setting *s, bool value, const char *place)
{
	value_set_bool(d->conf, s, value);
	accept(d, s, place);
}

void
draft_set_integer(struct draft *d, const struct setting *s, int64_t value, const char *place)
{
	char shown[32];

	if (value < s->min || value > s->max) {
		snprintf(shown, sizeof(shown), "%" PRId64, value);
		draft_refuse(d, s, span_cstr(shown), place);
		return;
	}
	value_set_integer(d->conf, s, value);
	accept(d, s, place);
}

static void
set_choice(struct draft *d, const struct setting *s, struct span text, const char *place)
{
	for (int64_t i = 0; s->choices[i] != NULL; i++) {
		if (span_is(text, s->choices[i])) {
			value_set_integer(d->conf, s, i);
			accept(d, s, place);
			return;
		}
	}
	draft_refuse_text(d, s, text, place);
}

void
draft_set_string(struct draft *d, const struct setting *s, struct span text, const char *place)
{
	if (s->type == SETTING_ENUM) {
		set_choice(d, s, text, place);
	} else if (!s->check(text)) {
		draft_refuse_text(d, s, text, place);
	} else {
		note_status(d, value_set_string(d->conf, s, text));
		accept(d, s, place);
	}
}

void
draft_begin_list(struct draft *d, const struct setting *s, const char *place)
{
	if (!draft_is_set_here(d, s))
		value_clear(d->conf, s);
	accept(d, s, place);
}

void
draft_add_item(
    struct draft *d, const struct setting *s, struct span text, size_t index, const char *place)
{
	struct buf shown = { 0 };

	if (s->check(text)) {
		note_status(d, value_append_item(d->conf, s, text));
		return;
	}
	conf_report_quote(&shown, text);
	draft_refuse_item(d, s, buf_span(&shown), index, place);
	note_status(d, buf_status(&shown));
	buf_fini(&shown);
}

/* --- secrets ---------------------------------------------------------------------------------- */

void
draft_set_secret(struct draft *d, const struct setting *s, struct span text, const char *place)
{
	int r = value_set_secret(d->conf, s, text);

	if (r == -EINVAL) {
		draft_refuse(d, s, SPAN(""), place);
		return;
	}
	note_status(d, r);
	accept(d, s, place);
}

void
draft_add_token_take(struct draft *d, struct conf_tokens *list, struct conf_token *token,
    const char *key, const char *place)
{
	int r = tokens_append_take(list, token);

	if (r == -E2BIG)
		conf_report_add(
		    d->report, place, key, "there may be at most %d tokens", TOKENS_MAX);
	else
		note_status(d, r);
}

void
draft_add_token(
    struct draft *d, const struct setting *s, struct span text, size_t index, const char *place)
{
	struct conf_token token = { .scopes = SCOPE_ALL };
	char name[32];
	int r = token_set_secret(&token, text);

	snprintf(name, sizeof(name), "token-%zu", index + 1);
	if (r == 0)
		r = token_set_name(&token, span_cstr(name));
	if (r == 0) {
		draft_add_token_take(d, value_tokens(d->conf, s), &token, s->key, place);
		return;
	}
	token_fini(&token);
	if (r == -EINVAL)
		draft_refuse_item(d, s, SPAN(""), index, place);
	else
		note_status(d, r);
}
