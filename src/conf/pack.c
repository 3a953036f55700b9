/*
 * Packs and unpacks by the table of settings, so that a new row needs nothing here. The reader's
 * first fault sticks, and whatever is read after it is empty.
 */
#include "conf/pack.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "conf/conf.h"
#include "conf/key.h"
#include "conf/scope.h"
#include "conf/token.h"
#include "conf/value.h"

enum { USUAL_BYTES = 64 * 1024 };

static const uint32_t magic = 0x3343424c; /* "LBC3" */
static const uint32_t no_text = UINT32_MAX;

/* --- packing ---------------------------------------------------------------------------------- */

static void
pack_u32(struct buf *out, uint32_t value)
{
	buf_append(out, &value, sizeof(value));
}

static void
pack_text(struct buf *out, const char *text)
{
	struct span s = span_cstr(text);

	pack_u32(out, text != NULL ? (uint32_t)s.n : no_text);
	buf_append_span(out, s);
}

static void
pack_texts(struct buf *out, char *const *texts, size_t count)
{
	pack_u32(out, (uint32_t)count);
	for (size_t i = 0; i < count; i++)
		pack_text(out, texts[i]);
}

static void
pack_token(struct buf *out, const struct conf_token *token)
{
	pack_text(out, token->name);
	buf_append(out, token->digest, sizeof(token->digest));
	pack_u32(out, token->scopes);
	buf_append(out, &token->expires_ms, sizeof(token->expires_ms));
	pack_texts(out, token->events, token->events_count);
}

static void
pack_tokens(struct buf *out, const struct conf_tokens *tokens)
{
	pack_u32(out, (uint32_t)tokens->count);
	for (size_t i = 0; i < tokens->count; i++)
		pack_token(out, &tokens->list[i]);
}

static void
pack_secret(struct buf *out, const struct conf_secret *secret)
{
	pack_u32(out, secret->is_set);
	buf_append(out, secret->digest, sizeof(secret->digest));
}

static void
pack_key(struct buf *out, const struct conf_key *key)
{
	pack_u32(out, (uint32_t)key->n);
	buf_append(out, key->bytes, key->n);
}

static void
pack_value(struct buf *out, const struct conf *conf, const struct setting *s)
{
	uint64_t number = 0;
	char *const *items;
	size_t count;

	switch (s->type) {
	case SETTING_STRING:
		pack_text(out, value_string(conf, s));
		return;
	case SETTING_LIST:
		items = value_items(conf, s, &count);
		pack_texts(out, items, count);
		return;
	case SETTING_SECRET:
		pack_secret(out, value_const_secret(conf, s));
		return;
	case SETTING_TOKENS:
		pack_tokens(out, value_const_tokens(conf, s));
		return;
	case SETTING_BOOL:
		number = value_bool(conf, s);
		break;
	case SETTING_INT:
	case SETTING_ENUM:
		number = (uint64_t)value_integer(conf, s);
		break;
	}
	buf_append(out, &number, sizeof(number));
}

void
conf_pack(const struct conf *conf, struct buf *out)
{
	/* Room for a usual one at once: what grows leaves copies of the keys behind. */
	(void)buf_reserve(
	    out, USUAL_BYTES + conf->jwt_secret.n + conf->tls_cert_pem.n + conf->tls_key_pem.n);
	pack_u32(out, magic);
	pack_u32(out, (uint32_t)settings_count());
	pack_text(out, conf->home);
	pack_text(out, conf->config_path);
	pack_texts(out, conf->files, conf->files_count);
	for (size_t i = 0; i < settings_count(); i++) {
		pack_text(out, conf->sources[i]);
		pack_value(out, conf, &settings[i]);
	}
	pack_tokens(out, &conf->file_tokens);
	pack_key(out, &conf->jwt_public_key);
	pack_key(out, &conf->jwt_secret);
	pack_key(out, &conf->tls_cert_pem);
	pack_key(out, &conf->tls_key_pem);
}

/* --- unpacking -------------------------------------------------------------------------------- */

struct reader {
	struct span rest;
	int status; /* 0, -EBADMSG or -ENOMEM */
};

static void
fail(struct reader *r, int status)
{
	if (r->status == 0)
		r->status = status;
	r->rest = SPAN("");
}

static void
take(struct reader *r, void *ret, size_t n)
{
	memset(ret, 0, n);
	if (r->rest.n < n) {
		fail(r, -EBADMSG);
		return;
	}
	memcpy(ret, r->rest.p, n);
	r->rest = span_skip(r->rest, n);
}

static uint32_t
take_u32(struct reader *r)
{
	uint32_t value;

	take(r, &value, sizeof(value));
	return value;
}

/* False: there is none, which is a fault unless it may be missing. */
static bool
take_text(struct reader *r, bool is_optional, struct span *ret)
{
	uint32_t n = take_u32(r);

	*ret = SPAN("");
	if (r->status == 0 && is_optional && n == no_text)
		return false;
	if (n > r->rest.n || memchr(r->rest.p, '\0', n) != NULL)
		fail(r, -EBADMSG);
	if (r->status != 0)
		return false;
	*ret = span_make(r->rest.p, n);
	r->rest = span_skip(r->rest, n);
	return true;
}

static void
copy_text(struct reader *r, bool is_optional, char **ret)
{
	struct span text;

	if (!take_text(r, is_optional, &text))
		return;
	*ret = mem_strndup(text);
	if (*ret == NULL)
		fail(r, -ENOMEM);
}

/* How many texts follow; each takes at least the bytes of its length. */
static uint32_t
take_count(struct reader *r)
{
	uint32_t count = take_u32(r);

	if (count > r->rest.n / sizeof(uint32_t))
		fail(r, -EBADMSG);
	return r->status == 0 ? count : 0;
}

static void
unpack_files(struct reader *r, struct conf *conf)
{
	uint32_t count = take_count(r);

	if (count == 0)
		return;
	conf->files = mem_array(count, sizeof(*conf->files));
	if (conf->files == NULL)
		fail(r, -ENOMEM);
	for (uint32_t i = 0; i < count && r->status == 0; i++) {
		copy_text(r, false, &conf->files[i]);
		conf->files_count = i + 1;
	}
}

static uint64_t
take_number(struct reader *r, uint64_t min, uint64_t max)
{
	uint64_t number;

	take(r, &number, sizeof(number));
	if (number < min || number > max)
		fail(r, -EBADMSG);
	return number;
}

static void
unpack_integer(struct reader *r, struct conf *conf, const struct setting *s)
{
	uint64_t min = (uint64_t)s->min, max = (uint64_t)s->max, number;

	if (s->type == SETTING_ENUM)
		for (max = 0; s->choices[max + 1] != NULL; max++)
			continue;
	number = take_number(r, min, max);
	if (r->status == 0)
		value_set_integer(conf, s, (int64_t)number);
}

static void
unpack_list(struct reader *r, struct conf *conf, const struct setting *s)
{
	uint32_t count = take_count(r);
	struct span item;

	for (uint32_t i = 0; i < count && take_text(r, false, &item); i++)
		if (value_append_item(conf, s, item) < 0)
			fail(r, -ENOMEM);
}

/* What an entry cannot be is no message of the supervisor's. */
static void
judge(struct reader *r, int status)
{
	if (status < 0)
		fail(r, status == -ENOMEM ? status : -EBADMSG);
}

static void
take_token(struct reader *r, struct conf_token *token)
{
	uint32_t events;
	struct span text;

	if (take_text(r, false, &text))
		judge(r, token_set_name(token, text));
	take(r, token->digest, sizeof(token->digest));
	token->scopes = take_u32(r);
	take(r, &token->expires_ms, sizeof(token->expires_ms));
	if (token->scopes > SCOPE_ALL)
		fail(r, -EBADMSG);
	events = take_count(r);
	for (uint32_t i = 0; i < events && take_text(r, false, &text); i++)
		judge(r, token_add_event(token, text));
}

static void
unpack_tokens(struct reader *r, struct conf_tokens *tokens)
{
	uint32_t count = take_count(r);

	for (uint32_t i = 0; i < count && r->status == 0; i++) {
		struct conf_token token = { 0 };

		take_token(r, &token);
		if (r->status < 0)
			token_fini(&token);
		else
			judge(r, tokens_append_take(tokens, &token));
	}
}

static void
unpack_secret(struct reader *r, struct conf_secret *secret)
{
	secret->is_set = take_u32(r) != 0;
	take(r, secret->digest, sizeof(secret->digest));
}

static void
unpack_key(struct reader *r, struct conf_key *key)
{
	uint32_t n = take_u32(r);

	if (n > r->rest.n)
		fail(r, -EBADMSG);
	if (r->status < 0 || n == 0)
		return;
	if (key_set(key, span_make(r->rest.p, n)) < 0)
		fail(r, -ENOMEM);
	else
		r->rest = span_skip(r->rest, n);
}

static void
unpack_value(struct reader *r, struct conf *conf, const struct setting *s)
{
	struct span text;

	switch (s->type) {
	case SETTING_BOOL:
		value_set_bool(conf, s, take_number(r, 0, 1) == 1);
		return;
	case SETTING_INT:
	case SETTING_ENUM:
		unpack_integer(r, conf, s);
		return;
	case SETTING_STRING:
		if (take_text(r, false, &text) && value_set_string(conf, s, text) < 0)
			fail(r, -ENOMEM);
		return;
	case SETTING_LIST:
		unpack_list(r, conf, s);
		return;
	case SETTING_SECRET:
		unpack_secret(r, value_secret(conf, s));
		return;
	case SETTING_TOKENS:
		unpack_tokens(r, value_tokens(conf, s));
		return;
	}
}

static void
unpack_all(struct reader *r, struct conf *conf)
{
	conf->sources = mem_array(settings_count(), sizeof(*conf->sources));
	if (conf->sources == NULL) {
		fail(r, -ENOMEM);
		return;
	}
	if (take_u32(r) != magic || take_u32(r) != settings_count())
		fail(r, -EBADMSG);
	copy_text(r, false, &conf->home);
	copy_text(r, true, &conf->config_path);
	unpack_files(r, conf);
	for (size_t i = 0; i < settings_count() && r->status == 0; i++) {
		copy_text(r, false, &conf->sources[i]);
		unpack_value(r, conf, &settings[i]);
	}
	unpack_tokens(r, &conf->file_tokens);
	unpack_key(r, &conf->jwt_public_key);
	unpack_key(r, &conf->jwt_secret);
	unpack_key(r, &conf->tls_cert_pem);
	unpack_key(r, &conf->tls_key_pem);
	if (r->rest.n > 0)
		fail(r, -EBADMSG);
}

int
conf_unpack(struct span bytes, struct conf **ret)
{
	struct reader r = { .rest = bytes };
	struct conf *conf;

	if (bytes.n == 0 || bytes.n > CONF_PACK_MAX)
		return -EBADMSG;
	conf = mem_zalloc(sizeof(*conf));
	if (conf == NULL)
		return -ENOMEM;
	unpack_all(&r, conf);
	if (r.status < 0) {
		conf_free(conf);
		return r.status;
	}
	*ret = conf;
	return 0;
}
