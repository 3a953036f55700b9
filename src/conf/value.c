/*
 * The one place that knows how a row of the table reaches the member of struct conf.
 */
#include "conf/value.h"

#include <errno.h>

#include "base/alloc.h"
#include "conf/secret.h"
#include "conf/token.h"

static void *
member_of(struct conf *c, const struct setting *s)
{
	return (char *)c + s->offset;
}

static const void *
const_member_of(const struct conf *c, const struct setting *s)
{
	return (const char *)c + s->offset;
}

static size_t *
count_of(struct conf *c, const struct setting *s)
{
	return (size_t *)(void *)((char *)c + s->count_offset);
}

void
value_set_bool(struct conf *c, const struct setting *s, bool value)
{
	*(bool *)member_of(c, s) = value;
}

void
value_set_integer(struct conf *c, const struct setting *s, int64_t value)
{
	uint16_t narrow = (uint16_t)value;
	uint32_t middle = (uint32_t)value;

	if (s->size == sizeof(narrow))
		memcpy(member_of(c, s), &narrow, sizeof(narrow));
	else if (s->size == sizeof(middle))
		memcpy(member_of(c, s), &middle, sizeof(middle));
	else
		memcpy(member_of(c, s), &value, sizeof(value));
}

int
value_set_string(struct conf *c, const struct setting *s, struct span value)
{
	char **member = member_of(c, s);
	char *copy = mem_strndup(value);

	if (copy == NULL)
		return -ENOMEM;
	mem_free(*member);
	*member = copy;
	return 0;
}

int
value_append_item(struct conf *c, const struct setting *s, struct span item)
{
	char ***member = member_of(c, s);
	size_t *count = count_of(c, s);
	char *copy = mem_strndup(item);
	char **longer;

	if (copy == NULL)
		return -ENOMEM;
	longer = mem_resize(*member, (*count + 1) * sizeof(*longer));
	if (longer == NULL) {
		mem_free(copy);
		return -ENOMEM;
	}
	longer[*count] = copy;
	*member = longer;
	*count += 1;
	return 0;
}

int
value_set_secret(struct conf *c, const struct setting *s, struct span text)
{
	struct conf_secret secret = { .is_set = text.n > 0 };
	int r = secret.is_set ? secret_read(text, secret.digest) : 0;

	if (r == 0)
		*value_secret(c, s) = secret;
	return r;
}

struct conf_secret *
value_secret(struct conf *c, const struct setting *s)
{
	return member_of(c, s);
}

const struct conf_secret *
value_const_secret(const struct conf *c, const struct setting *s)
{
	return const_member_of(c, s);
}

const struct conf_tokens *
value_const_tokens(const struct conf *c, const struct setting *s)
{
	return const_member_of(c, s);
}

struct conf_tokens *
value_tokens(struct conf *c, const struct setting *s)
{
	return member_of(c, s);
}

static void
clear_list(struct conf *c, const struct setting *s)
{
	char ***member = member_of(c, s);
	size_t *count = count_of(c, s);

	while (*count > 0) {
		*count -= 1;
		mem_free((*member)[*count]);
	}
	mem_free(*member);
	*member = NULL;
}

void
value_clear(struct conf *c, const struct setting *s)
{
	char **member = member_of(c, s);

	if (s->type == SETTING_LIST) {
		clear_list(c, s);
	} else if (s->type == SETTING_TOKENS) {
		tokens_fini(value_tokens(c, s));
	} else if (s->type == SETTING_SECRET) {
		secret_wipe(member, sizeof(struct conf_secret));
	} else if (s->type == SETTING_STRING) {
		mem_free(*member);
		*member = NULL;
	}
}

int64_t
value_integer(const struct conf *c, const struct setting *s)
{
	uint16_t narrow;
	uint32_t middle;
	int64_t wide;

	if (s->size == sizeof(narrow)) {
		memcpy(&narrow, const_member_of(c, s), sizeof(narrow));
		return narrow;
	}
	if (s->size == sizeof(middle)) {
		memcpy(&middle, const_member_of(c, s), sizeof(middle));
		return middle;
	}
	memcpy(&wide, const_member_of(c, s), sizeof(wide));
	return wide;
}

const char *
value_string(const struct conf *c, const struct setting *s)
{
	return *(char *const *)const_member_of(c, s);
}

char *const *
value_items(const struct conf *c, const struct setting *s, size_t *ret_count)
{
	*ret_count = *(const size_t *)(const void *)((const char *)c + s->count_offset);
	return *(char **const *)const_member_of(c, s);
}

bool
value_bool(const struct conf *c, const struct setting *s)
{
	return *(const bool *)const_member_of(c, s);
}

static bool
lists_are_equal(const struct conf *a, const struct conf *b, const struct setting *s)
{
	size_t count, other;
	char *const *of_a = value_items(a, s, &count), *const *of_b = value_items(b, s, &other);

	if (count != other)
		return false;
	for (size_t i = 0; i < count; i++)
		if (strcmp(of_a[i], of_b[i]) != 0)
			return false;
	return true;
}

static bool
secrets_are_equal(const struct conf_secret *a, const struct conf_secret *b)
{
	return a->is_set == b->is_set && secret_is_equal(a->digest, b->digest);
}

bool
value_is_equal(const struct conf *a, const struct conf *b, const struct setting *s)
{
	switch (s->type) {
	case SETTING_BOOL:
		return value_bool(a, s) == value_bool(b, s);
	case SETTING_INT:
	case SETTING_ENUM:
		return value_integer(a, s) == value_integer(b, s);
	case SETTING_STRING:
		return strcmp(value_string(a, s), value_string(b, s)) == 0;
	case SETTING_LIST:
		return lists_are_equal(a, b, s);
	case SETTING_SECRET:
		return secrets_are_equal(value_const_secret(a, s), value_const_secret(b, s));
	case SETTING_TOKENS:
		return tokens_are_equal(value_const_tokens(a, s), value_const_tokens(b, s));
	}
	return false;
}

/* Into a configuration of its own first, so that a failure leaves the old list. */
static int
copy_list(struct conf *to, const struct conf *from, const struct setting *s)
{
	struct conf fresh = { 0 };
	size_t count;
	char *const *items = value_items(from, s, &count);

	for (size_t i = 0; i < count; i++) {
		int r = value_append_item(&fresh, s, span_cstr(items[i]));

		if (r < 0) {
			value_clear(&fresh, s);
			return r;
		}
	}
	value_clear(to, s);
	memcpy(member_of(to, s), member_of(&fresh, s), s->size);
	*count_of(to, s) = count;
	return 0;
}

static int
copy_tokens(struct conf *to, const struct conf *from, const struct setting *s)
{
	struct conf_tokens fresh = { 0 };
	int r = tokens_copy(&fresh, value_const_tokens(from, s));

	if (r < 0)
		return r;
	tokens_fini(value_tokens(to, s));
	*value_tokens(to, s) = fresh;
	return 0;
}

int
value_copy(struct conf *to, const struct conf *from, const struct setting *s)
{
	switch (s->type) {
	case SETTING_BOOL:
		value_set_bool(to, s, value_bool(from, s));
		return 0;
	case SETTING_INT:
	case SETTING_ENUM:
		value_set_integer(to, s, value_integer(from, s));
		return 0;
	case SETTING_STRING:
		return value_set_string(to, s, span_cstr(value_string(from, s)));
	case SETTING_LIST:
		return copy_list(to, from, s);
	case SETTING_SECRET:
		*value_secret(to, s) = *value_const_secret(from, s);
		return 0;
	case SETTING_TOKENS:
		return copy_tokens(to, from, s);
	}
	return 0;
}

static void
write_list(const struct conf *c, const struct setting *s, struct jsonw *w)
{
	size_t count;
	char *const *items = value_items(c, s, &count);

	jsonw_array(w);
	for (size_t i = 0; i < count; i++)
		jsonw_cstr(w, items[i]);
	jsonw_array_end(w);
}

static void
write_tokens(const struct conf_tokens *tokens, struct jsonw *w)
{
	jsonw_array(w);
	for (size_t i = 0; i < tokens->count; i++)
		token_write(&tokens->list[i], w);
	jsonw_array_end(w);
}

static void
write_secret(const struct conf_secret *secret, struct jsonw *w)
{
	jsonw_cstr(w, secret->is_set ? "***" : "");
}

void
value_write(const struct conf *c, const struct setting *s, struct jsonw *w)
{
	switch (s->type) {
	case SETTING_BOOL:
		jsonw_bool(w, value_bool(c, s));
		return;
	case SETTING_INT:
		jsonw_int(w, value_integer(c, s));
		return;
	case SETTING_STRING:
		jsonw_cstr(w, s->is_secret ? "***" : value_string(c, s));
		return;
	case SETTING_ENUM:
		jsonw_cstr(w, s->choices[value_integer(c, s)]);
		return;
	case SETTING_LIST:
		write_list(c, s, w);
		return;
	case SETTING_SECRET:
		write_secret(value_const_secret(c, s), w);
		return;
	case SETTING_TOKENS:
		write_tokens(value_const_tokens(c, s), w);
		return;
	}
}
