/*
 * The shapes of strings that settings take. Only the form is judged here: whether a host resolves
 * or a file can be opened is found out by who uses it.
 */
#include "conf/check.h"

#include <stdint.h>

#include "base/ip.h"
#include "base/parse.h"

enum { WORD_MAX = 256, PATTERN_NAME_MAX = 128 };

enum { ACCOUNT_MAX = 32 };
enum { HOST_MAX = 253 }; /* RFC 1035 section 2.3.4, without the root's dot */

static bool
is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Whether all bytes are letters, digits, or among the marks. The empty span is. */
static bool
is_made_of(struct span s, const char *marks)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\0')
			return false;
		if (!is_alpha(s.p[i]) && !is_digit(s.p[i]) && strchr(marks, s.p[i]) == NULL)
			return false;
	}
	return true;
}

/* Cuts the scheme and "://" off the front. RFC 3986 section 3.1. */
static bool
take_scheme(struct span *s)
{
	size_t n = 0;

	while (n < s->n && s->p[n] != ':')
		n++;
	if (n == 0 || !is_alpha(s->p[0]) || !is_made_of(span_make(s->p, n), "+.-"))
		return false;
	*s = span_skip(*s, n);
	if (!span_has_prefix(*s, SPAN("://")))
		return false;
	*s = span_skip(*s, 3);
	return true;
}

/* Cuts the host off the front: a name, an IPv4 address, or an IPv6 address in brackets. */
static bool
take_host(struct span *s)
{
	bool is_bracketed = s->n > 0 && s->p[0] == '[';
	char stop = is_bracketed ? ']' : ':';
	size_t n = is_bracketed;

	while (n < s->n && s->p[n] != stop)
		n++;
	if (is_bracketed) {
		if (n == s->n || n < 3 || !is_made_of(span_make(s->p + 1, n - 1), ":."))
			return false;
		n++;
	} else if (n == 0 || n > HOST_MAX || !is_made_of(span_make(s->p, n), ".-_")) {
		return false;
	}
	*s = span_skip(*s, n);
	return true;
}

bool
check_host(struct span s)
{
	return s.n > 0 && s.n <= HOST_MAX && is_made_of(s, ".-_:%");
}

bool
check_origin(struct span s)
{
	uint64_t port = 0;

	if (!take_scheme(&s) || !take_host(&s))
		return false;
	if (s.n == 0)
		return true;
	return s.p[0] == ':' && s.n <= 6 && parse_u64(span_skip(s, 1), UINT16_MAX, &port) == 0 &&
	       port > 0;
}

bool
check_network(struct span s)
{
	struct ip_network network;

	return ip_network_parse(s, &network) == 0;
}

bool
check_file(struct span s)
{
	if (s.n == 0)
		return true;
	if (!span_has_prefix(s, SPAN("/")) && !span_has_prefix(s, SPAN("~/")))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	}
	return s.p[s.n - 1] != '/';
}

bool
check_word(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	}
	return s.n <= WORD_MAX;
}

/* The grammar is that of proto/names.h, which this layer does not see. */
bool
check_pattern(struct span s)
{
	bool has_part = false;

	if (span_is(s, "*"))
		return true;
	if (s.n > 2 && s.p[s.n - 1] == '*' && s.p[s.n - 2] == '.')
		s.n -= 2;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.' ? !has_part : !is_made_of(span_make(s.p + i, 1), "_-"))
			return false;
		has_part = s.p[i] != '.';
	}
	return has_part && s.n <= PATTERN_NAME_MAX;
}

bool
check_account(struct span s)
{
	return s.n <= ACCOUNT_MAX && is_made_of(s, "._-") && (s.n == 0 || s.p[0] != '-');
}
