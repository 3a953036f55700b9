/*
 * Strict: a request with two Authorization fields could be read in two ways by two programs.
 */
#include "proto/bearer.h"

static const struct span scheme = SPAN_INIT("Bearer");

static bool
is_visible(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	}
	return s.n > 0;
}

enum bearer_verdict
bearer_find(const struct http_head *head, struct span *ret)
{
	const struct http_header *header = http_head_find(head, "Authorization");
	struct span token;

	if (header == NULL)
		return BEARER_ABSENT;
	if (http_head_count(head, "Authorization") != 1 || header->value.n <= scheme.n ||
	    !span_is_equal_nocase(span_make(header->value.p, scheme.n), scheme) ||
	    header->value.p[scheme.n] != ' ')
		return BEARER_BAD;
	token = span_trim(span_skip(header->value, scheme.n));
	if (!is_visible(token))
		return BEARER_BAD;
	*ret = token;
	return BEARER_TOKEN;
}
