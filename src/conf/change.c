/*
 * Settings that depend on each other can stand on both sides: a longer message may need the larger
 * ring that only a restart brings. Then the one that could change has to wait for the other.
 */
#include "conf/change.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "conf/cross.h"
#include "conf/token.h"
#include "conf/value.h"

static void
note(struct buf *keys, const struct setting *s)
{
	if (keys->len > 0)
		buf_append_byte(keys, ' ');
	buf_append_cstr(keys, s->key);
}

/* The setting stays as it is. */
static int
keep(struct conf *next, const struct conf *in_force, const struct setting *s)
{
	char **source = &next->sources[settings_index(s)];
	char *copy = mem_strndup(span_cstr(in_force->sources[settings_index(s)]));

	if (copy == NULL)
		return -ENOMEM;
	mem_free(*source);
	*source = copy;
	return value_copy(next, in_force, s);
}

/* Whether the rest of the configuration, with what is kept of it, allows the value. */
static bool
fits_the_rest(struct conf *next, const struct conf *in_force, const struct setting *s)
{
	struct conf mixed = *in_force;
	bool is_number = s->type == SETTING_INT;

	if (is_number)
		value_set_integer(&mixed, s, value_integer(next, s));
	return !is_number || cross_holds(&mixed);
}

static bool
can_change(struct conf *next, const struct conf *in_force, const struct setting *s,
    conf_has_room_fn has_room, void *arg)
{
	return s->changed_by != SETTING_BY_RESTART && fits_the_rest(next, in_force, s) &&
	       has_room(next, s, arg);
}

static bool
keys_are_equal(const struct conf_key *a, const struct conf_key *b)
{
	return a->n == b->n && (a->n == 0 || memcmp(a->bytes, b->bytes, a->n) == 0);
}

/* Whether a file that a setting names has the same in it, though its name is the same in any case. */
static bool
is_file_the_same(const struct conf *a, const struct conf *b, const struct setting *s)
{
	if (span_is(span_cstr(s->key), "gateway.auth_tokens_file"))
		return tokens_are_equal(&a->file_tokens, &b->file_tokens);
	if (span_is(span_cstr(s->key), "gateway.auth_jwt_secret_file"))
		return keys_are_equal(&a->jwt_secret, &b->jwt_secret);
	if (span_is(span_cstr(s->key), "gateway.auth_jwt_public_key_file"))
		return keys_are_equal(&a->jwt_public_key, &b->jwt_public_key);
	if (span_is(span_cstr(s->key), "gateway.tls_cert"))
		return keys_are_equal(&a->tls_cert_pem, &b->tls_cert_pem);
	if (span_is(span_cstr(s->key), "gateway.tls_key"))
		return keys_are_equal(&a->tls_key_pem, &b->tls_key_pem);
	return true;
}

int
conf_settle(struct conf *next, const struct conf *in_force, conf_has_room_fn has_room, void *arg,
    struct conf_changes *ret)
{
	int r = 0;

	*ret = (struct conf_changes){ 0 };
	for (size_t i = 0; i < settings_count() && r == 0; i++) {
		const struct setting *s = &settings[i];

		if (value_is_equal(next, in_force, s) && is_file_the_same(next, in_force, s))
			continue;
		if (can_change(next, in_force, s, has_room, arg)) {
			note(&ret->changed, s);
			continue;
		}
		note(&ret->waiting, s);
		r = keep(next, in_force, s);
	}
	if (r == 0)
		r = buf_status(&ret->changed);
	return r == 0 ? buf_status(&ret->waiting) : r;
}

void
conf_changes_fini(struct conf_changes *changes)
{
	buf_fini(&changes->changed);
	buf_fini(&changes->waiting);
}
