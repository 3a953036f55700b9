/*
 * Any bytes as lines of a token file: refused with a fault that quotes none of them, or an entry within
 * its bounds, which is written without its secret.
 */
#include <errno.h>

#include "base/buf.h"
#include "base/jsonw.h"
#include "conf/check.h"
#include "conf/scope.h"
#include "conf/secret.h"
#include "conf/token.h"
#include "fuzz.h"
#include "proto/names.h"

static void
check_entry(const struct conf_token *token, struct span secret)
{
	struct buf text = { 0 };
	struct jsonw w;

	must(token->scopes <= SCOPE_ALL);
	must((token->scopes & SCOPE_ADMIN) == 0 || (token->scopes & SCOPE_WRITE) != 0);
	must((token->scopes & SCOPE_WRITE) == 0 || (token->scopes & SCOPE_READ) != 0);
	must(token->events_count <= TOKEN_EVENTS_MAX);
	for (size_t i = 0; i < token->events_count; i++)
		must(pattern_is_valid(span_cstr(token->events[i])));
	jsonw_init(&w, &text);
	token_write(token, &w);
	must(buf_status(&text) == 0);
	/* Short ones are found in anything. */
	must(secret.n < 80 || memmem(text.data, text.len, secret.p, secret.n) == NULL);
	buf_fini(&text);
}

static void
check_line(struct span line)
{
	struct conf_token token = { .scopes = SCOPE_ALL };
	const char *fault = NULL;
	struct span secret = span_trim(line);
	int r = token_read_line(&token, line, &fault);

	secret.n = 0;
	while (span_trim(line).p + secret.n < line.p + line.n && span_trim(line).p[secret.n] > ' ')
		secret.n++;
	must(r == 0 || r == -EINVAL);
	if (r == 0)
		check_entry(&token, secret);
	else
		must(fault != NULL && fault[0] != '\0');
	token_fini(&token);
}

/* The two layers that know patterns say the same. */
static void
check_patterns(struct span text)
{
	must(check_pattern(text) == pattern_is_valid(text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	char *copy = block_copy(bytes, n);
	struct span rest = span_make(copy, n);

	check_patterns(rest);
	while (rest.n > 0) {
		const char *newline = memchr(rest.p, '\n', rest.n);
		size_t length = newline != NULL ? (size_t)(newline - rest.p) : rest.n;

		check_line(span_make(rest.p, length));
		rest = span_skip(rest, length + (newline != NULL));
	}
	free(copy);
	return 0;
}
