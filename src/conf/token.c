/*
 * Entries of the token table. Only the digest of a secret is ever put into one, so nothing here has to
 * be careful about what it frees, but for the digest itself.
 */
#include "conf/token.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/parse.h"
#include "conf/check.h"
#include "conf/scope.h"
#include "conf/secret.h"

static_assert((int)CONF_DIGEST_BYTES == (int)SECRET_DIGEST_BYTES, "the same digest");

void
token_fini(struct conf_token *token)
{
	for (size_t i = 0; i < token->events_count; i++)
		mem_free(token->events[i]);
	mem_free(token->events);
	mem_free(token->name);
	secret_wipe(token, sizeof(*token));
}

static bool
name_is_good(struct span name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    c != '.' && c != '_' && c != '-')
			return false;
	}
	return name.n > 0 && name.n <= TOKEN_NAME_MAX;
}

int
token_set_name(struct conf_token *token, struct span name)
{
	char *copy;

	if (!name_is_good(name))
		return -EINVAL;
	copy = mem_strndup(name);
	if (copy == NULL)
		return -ENOMEM;
	mem_free(token->name);
	token->name = copy;
	return 0;
}

int
token_set_secret(struct conf_token *token, struct span secret)
{
	return secret_read(secret, token->digest);
}

int
token_add_scope(struct conf_token *token, struct span name)
{
	unsigned scope = scope_find(name);

	token->scopes |= scope;
	return scope != 0 ? 0 : -EINVAL;
}

int
token_add_event(struct conf_token *token, struct span pattern)
{
	char **longer, *copy;

	if (!check_pattern(pattern) || token->events_count == TOKEN_EVENTS_MAX)
		return -EINVAL;
	copy = mem_strndup(pattern);
	if (copy == NULL)
		return -ENOMEM;
	longer = mem_resize(token->events, (token->events_count + 1) * sizeof(*longer));
	if (longer == NULL) {
		mem_free(copy);
		return -ENOMEM;
	}
	longer[token->events_count++] = copy;
	token->events = longer;
	return 0;
}

/* --- the end ---------------------------------------------------------------------------------- */

/* Reads `digits` digits off the text. */
static bool
take_number(struct span *text, size_t digits, unsigned max, int *ret)
{
	uint64_t value;

	if (text->n < digits || parse_u64(span_make(text->p, digits), max, &value) != 0)
		return false;
	*text = span_skip(*text, digits);
	*ret = (int)value;
	return true;
}

static bool
take_byte(struct span *text, char byte)
{
	if (text->n == 0 || text->p[0] != byte)
		return false;
	*text = span_skip(*text, 1);
	return true;
}

static bool
take_date(struct span *s, struct tm *tm)
{
	return take_number(s, 4, 9999, &tm->tm_year) && take_byte(s, '-') &&
	       take_number(s, 2, 12, &tm->tm_mon) && take_byte(s, '-') &&
	       take_number(s, 2, 31, &tm->tm_mday);
}

static bool
take_time(struct span *s, struct tm *tm)
{
	return take_byte(s, 'T') && take_number(s, 2, 23, &tm->tm_hour) && take_byte(s, ':') &&
	       take_number(s, 2, 59, &tm->tm_min) && take_byte(s, ':') &&
	       take_number(s, 2, 59, &tm->tm_sec) && take_byte(s, 'Z');
}

int
token_set_expires(struct conf_token *token, struct span text)
{
	struct tm tm = { 0 }, again;
	time_t seconds;

	if (!take_date(&text, &tm) || (text.n > 0 && !take_time(&text, &tm)) || text.n > 0)
		return -EINVAL;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	again = tm;
	seconds = timegm(&again);
	/* What timegm had to put right, such as February 30th, is no date. */
	if (seconds <= 0 || again.tm_mon != tm.tm_mon || again.tm_mday != tm.tm_mday)
		return -EINVAL;
	token->expires_ms = (uint64_t)seconds * 1000;
	return 0;
}

/* --- a line of a file ------------------------------------------------------------------------- */

/* Calls add for each part of a list with commas. */
static int
add_each(struct conf_token *token, struct span list, int (*add)(struct conf_token *, struct span))
{
	int r = -EINVAL;

	while (list.n > 0) {
		const char *comma = memchr(list.p, ',', list.n);
		size_t n = comma != NULL ? (size_t)(comma - list.p) : list.n;

		r = add(token, span_make(list.p, n));
		if (r < 0)
			return r;
		list = span_skip(list, n + (comma != NULL));
	}
	return r;
}

static int
set_scopes(struct conf_token *token, struct span value)
{
	token->scopes = 0;
	return add_each(token, value, token_add_scope);
}

static int
set_events(struct conf_token *token, struct span value)
{
	return add_each(token, value, token_add_event);
}

static const struct {
	struct span name; /* with the equals sign */
	int (*set)(struct conf_token *, struct span);
	const char *fault;
} attributes[] = {
	{ SPAN_INIT("name="), token_set_name,
	    "name must be 1 to 64 letters, digits, dots, underscores and hyphens" },
	{ SPAN_INIT("scopes="), set_scopes,
	    "scopes must be some of read, write, admin and provider, with commas between" },
	{ SPAN_INIT("events="), set_events,
	    "events must be patterns such as agent.*, with commas between" },
	{ SPAN_INIT("expires="), token_set_expires,
	    "expires must be a date, 2027-01-31, or a time, 2027-01-31T12:00:00Z" },
};

/* Cuts the next word off; empty: there is none. */
static struct span
take_word(struct span *line)
{
	size_t n = 0;

	*line = span_trim(*line);
	while (n < line->n && line->p[n] != ' ' && line->p[n] != '\t')
		n++;
	*line = span_skip(*line, n);
	return span_make(line->p - n, n);
}

static int
set_attribute(struct conf_token *token, struct span word, const char **ret_fault)
{
	for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
		struct span name = attributes[i].name;

		if (!span_has_prefix(word, name))
			continue;
		*ret_fault = attributes[i].fault;
		return attributes[i].set(token, span_skip(word, name.n));
	}
	*ret_fault = "behind the token only name=, scopes=, events= and expires= may stand";
	return -EINVAL;
}

int
token_read_line(struct conf_token *token, struct span line, const char **ret_fault)
{
	struct span word = take_word(&line);
	int r = token_set_secret(token, word);

	*ret_fault = "a line begins with a token of 1 to 4096 visible ASCII characters, or with "
		     "sha256: and 64 digits";
	while (r == 0) {
		word = take_word(&line);
		if (word.n == 0)
			break;
		r = set_attribute(token, word, ret_fault);
	}
	return r;
}

/* --- lists ------------------------------------------------------------------------------------ */

int
tokens_append_take(struct conf_tokens *tokens, struct conf_token *token)
{
	struct conf_token *longer;

	if (tokens->count == TOKENS_MAX) {
		token_fini(token);
		return -E2BIG;
	}
	longer = mem_resize(tokens->list, (tokens->count + 1) * sizeof(*longer));
	if (longer == NULL) {
		token_fini(token);
		return -ENOMEM;
	}
	longer[tokens->count++] = *token;
	tokens->list = longer;
	return 0;
}

static bool
is_same(const struct conf_token *a, const struct conf_token *b)
{
	if (strcmp(a->name, b->name) != 0 || !secret_is_equal(a->digest, b->digest) ||
	    a->scopes != b->scopes || a->expires_ms != b->expires_ms ||
	    a->events_count != b->events_count)
		return false;
	for (size_t i = 0; i < a->events_count; i++) {
		if (strcmp(a->events[i], b->events[i]) != 0)
			return false;
	}
	return true;
}

bool
tokens_are_equal(const struct conf_tokens *a, const struct conf_tokens *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (!is_same(&a->list[i], &b->list[i]))
			return false;
	}
	return true;
}

static int
copy_one(struct conf_token *to, const struct conf_token *from)
{
	int r = token_set_name(to, span_cstr(from->name));

	memcpy(to->digest, from->digest, sizeof(to->digest));
	to->scopes = from->scopes;
	to->expires_ms = from->expires_ms;
	for (size_t i = 0; i < from->events_count && r == 0; i++)
		r = token_add_event(to, span_cstr(from->events[i]));
	return r;
}

int
tokens_copy(struct conf_tokens *to, const struct conf_tokens *from)
{
	int r = 0;

	for (size_t i = 0; i < from->count && r == 0; i++) {
		struct conf_token token = { 0 };

		r = copy_one(&token, &from->list[i]);
		if (r == 0)
			r = tokens_append_take(to, &token);
		else
			token_fini(&token);
	}
	if (r < 0)
		tokens_fini(to);
	return r;
}

void
tokens_fini(struct conf_tokens *tokens)
{
	for (size_t i = 0; i < tokens->count; i++)
		token_fini(&tokens->list[i]);
	mem_free(tokens->list);
	*tokens = (struct conf_tokens){ 0 };
}

static void
write_expires(uint64_t expires_ms, struct jsonw *w)
{
	time_t seconds = (time_t)(expires_ms / 1000);
	char text[32] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm) != NULL)
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	jsonw_key(w, "expires");
	jsonw_cstr(w, text);
}

void
token_write(const struct conf_token *token, struct jsonw *w)
{
	jsonw_object(w);
	jsonw_key(w, "name");
	jsonw_cstr(w, token->name);
	jsonw_key(w, "token");
	jsonw_cstr(w, "***");
	jsonw_key(w, "scopes");
	scope_write(token->scopes, w);
	if (token->events_count > 0) {
		jsonw_key(w, "events");
		jsonw_array(w);
		for (size_t i = 0; i < token->events_count; i++)
			jsonw_cstr(w, token->events[i]);
		jsonw_array_end(w);
	}
	if (token->expires_ms != 0)
		write_expires(token->expires_ms, w);
	jsonw_object_end(w);
}
