/*
 * One row for each member. Whatever is wrong is told without what stood there: it may be a secret that
 * was put into the wrong place.
 */
#include "conf/tokenjson.h"

#include <errno.h>
#include <string.h>

#include "conf/secret.h"
#include "conf/token.h"

static struct span
text_of(const json_t *value)
{
	return span_make(json_string_value(value), json_string_length(value));
}

static int
set_name(struct conf_token *token, const json_t *value)
{
	return json_is_string(value) ? token_set_name(token, text_of(value)) : -EINVAL;
}

static int
set_token(struct conf_token *token, const json_t *value)
{
	return json_is_string(value) ? token_set_secret(token, text_of(value)) : -EINVAL;
}

static int
set_sha256(struct conf_token *token, const json_t *value)
{
	struct buf text = { 0 };
	int r = -EINVAL;

	if (json_is_string(value) && json_string_length(value) == (size_t)2 * CONF_DIGEST_BYTES) {
		buf_append_cstr(&text, "sha256:");
		buf_append_span(&text, text_of(value));
		r = buf_status(&text);
		if (r == 0)
			r = token_set_secret(token, buf_span(&text));
	}
	buf_fini(&text);
	return r;
}

/* Calls add for each string of a list that is not empty. */
static int
add_each(struct conf_token *token, const json_t *list, int (*add)(struct conf_token *, struct span))
{
	const json_t *item;
	size_t i;
	int r = -EINVAL;

	json_array_foreach(list, i, item)
	{
		r = json_is_string(item) ? add(token, text_of(item)) : -EINVAL;
		if (r < 0)
			return r;
	}
	return r;
}

static int
set_scopes(struct conf_token *token, const json_t *value)
{
	return add_each(token, value, token_add_scope);
}

static int
set_events(struct conf_token *token, const json_t *value)
{
	return add_each(token, value, token_add_event);
}

static int
set_expires(struct conf_token *token, const json_t *value)
{
	return json_is_string(value) ? token_set_expires(token, text_of(value)) : -EINVAL;
}

static const struct {
	const char *name;
	int (*set)(struct conf_token *, const json_t *);
	const char *wanted;
} members[] = {
	{ "name", set_name, "name must be 1 to 64 letters, digits, dots, underscores and hyphens" },
	{ "token", set_token, "token must be 1 to 4096 visible ASCII characters" },
	{ "sha256", set_sha256, "sha256 must be the 64 hexadecimal digits of a token's SHA-256" },
	{ "scopes", set_scopes,
	    "scopes must be a list of some of \"read\", \"write\", \"admin\", \"provider\"" },
	{ "events", set_events,
	    "events must be a list of patterns of events, such as [\"agent.*\"]" },
	{ "expires", set_expires,
	    "expires must be a date, \"2027-01-31\", or a time, \"2027-01-31T12:00:00Z\"" },
};

static int
set_member(struct conf_token *token, const char *key, const json_t *value, const char **ret_fault)
{
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (strcmp(key, members[i].name) != 0)
			continue;
		*ret_fault = members[i].wanted;
		return members[i].set(token, value);
	}
	*ret_fault = "a token has name, token or sha256, scopes, events and expires";
	return -EINVAL;
}

static const char *
find_missing(const json_t *object)
{
	bool has_token = json_object_get(object, "token") != NULL;
	bool has_sha256 = json_object_get(object, "sha256") != NULL;

	if (json_object_get(object, "name") == NULL)
		return "a token needs a name";
	if (has_token == has_sha256)
		return "a token needs either token or sha256";
	if (json_object_get(object, "scopes") == NULL)
		return "a token needs scopes, a list of some of \"read\", \"write\", \"admin\", "
		       "\"provider\"";
	return NULL;
}

int
tokenjson_read(const json_t *object, struct conf_token *token, const char **ret_fault)
{
	const char *key;
	json_t *value;

	*ret_fault = find_missing(object);
	if (*ret_fault != NULL)
		return -EINVAL;
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		int r = set_member(token, key, value, ret_fault);

		if (r < 0)
			return r;
	}
	return 0;
}
