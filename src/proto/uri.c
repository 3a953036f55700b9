/*
 * The parts of RFC 3986 that a server meets. One table says where each byte may stand; all else
 * is cutting at delimiters.
 */
#include "proto/uri.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/parse.h"

/* Where a byte may stand, besides percent-encoded. */
enum {
	IN_HOST = 1,   /* reg-name: unreserved and sub-delims (RFC 3986 section 3.2.2) */
	IN_PATH = 2,   /* pchar and '/' (section 3.3) */
	IN_QUERY = 4,  /* pchar, '/' and '?' (section 3.4), and what browsers leave as it is */
	IN_SCHEME = 8, /* section 3.1 */
};

#define IN_ALL (IN_HOST | IN_PATH | IN_QUERY)

static const uint8_t classes[256] = {
	['a' ... 'z'] = IN_ALL | IN_SCHEME,
	['A' ... 'Z'] = IN_ALL | IN_SCHEME,
	['0' ... '9'] = IN_ALL | IN_SCHEME,
	['-'] = IN_ALL | IN_SCHEME,
	['.'] = IN_ALL | IN_SCHEME,
	['+'] = IN_ALL | IN_SCHEME,
	['_'] = IN_ALL,
	['~'] = IN_ALL,
	['!'] = IN_ALL,
	['$'] = IN_ALL,
	['&'] = IN_ALL,
	['\''] = IN_ALL,
	['('] = IN_ALL,
	[')'] = IN_ALL,
	['*'] = IN_ALL,
	[','] = IN_ALL,
	[';'] = IN_ALL,
	['='] = IN_ALL,
	[':'] = IN_PATH | IN_QUERY,
	['@'] = IN_PATH | IN_QUERY,
	['/'] = IN_PATH | IN_QUERY,
	['?'] = IN_QUERY,
	['['] = IN_QUERY,
	[']'] = IN_QUERY,
	['{'] = IN_QUERY,
	['}'] = IN_QUERY,
	['|'] = IN_QUERY,
	['\\'] = IN_QUERY,
	['^'] = IN_QUERY,
	['`'] = IN_QUERY,
};

/* The position of the first of these bytes in text, or its length. */
static size_t
find_first(struct span text, const char *bytes)
{
	size_t i = 0;

	while (i < text.n && (text.p[i] == '\0' || strchr(bytes, text.p[i]) == NULL))
		i++;
	return i;
}

/* The value of the two hexadecimal digits at position at, or -1. */
static int
hex_pair(struct span text, size_t at)
{
	int high, low;

	if (text.n < at + 2)
		return -1;
	high = hex_digit_value(text.p[at]);
	low = hex_digit_value(text.p[at + 1]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* Whether all bytes of text may stand in that place; all but a scheme take percent-encoding. */
static bool
is_all(struct span text, uint8_t place)
{
	for (size_t i = 0; i < text.n; i++) {
		if ((classes[(uint8_t)text.p[i]] & place) != 0)
			continue;
		if (text.p[i] != '%' || place == IN_SCHEME || hex_pair(text, i + 1) < 0)
			return false;
		i += 2;
	}
	return true;
}

/* An IP literal in its brackets (RFC 3986 section 3.2.2); of these there is only IPv6. */
static bool
is_ip_literal(struct span host)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;
	size_t n = host.n - 2;

	if (host.n < 4 || n >= sizeof(text) || memchr(host.p, '\0', host.n) != NULL)
		return false;
	memcpy(text, host.p + 1, n);
	text[n] = '\0';
	return inet_pton(AF_INET6, text, &address) == 1;
}

int
uri_authority_parse(struct span text, struct uri_authority *ret)
{
	struct span host = text, port = { 0 };
	uint64_t number = 0;
	bool is_literal = text.n > 0 && text.p[0] == '[';

	if (is_literal) {
		host.n = find_first(text, "]");
		if (host.n == text.n)
			return -EINVAL;
		host.n++;
	} else {
		host.n = find_first(text, ":");
	}
	if (host.n == 0 || !(is_literal ? is_ip_literal(host) : is_all(host, IN_HOST)))
		return -EINVAL;
	if (host.n < text.n) {
		if (text.p[host.n] != ':')
			return -EINVAL;
		port = span_skip(text, host.n + 1);
		if (port.n > 0 && parse_u64(port, UINT16_MAX, &number) != 0)
			return -EINVAL;
	}
	*ret = (struct uri_authority){ host, port.n > 0 ? (int)number : URI_PORT_NONE };
	return 0;
}

/* Takes scheme and "://" off the text; the empty span when they are not there or not good. */
static struct span
take_scheme(struct span *text)
{
	struct span scheme = span_make(text->p, find_first(*text, ":"));
	char first = text->n > 0 ? (char)(text->p[0] | 0x20) : '\0';

	if (first < 'a' || first > 'z' || !is_all(scheme, IN_SCHEME) ||
	    !span_has_prefix(span_skip(*text, scheme.n), SPAN("://")))
		return SPAN("");
	*text = span_skip(*text, scheme.n + 3);
	return scheme;
}

int
uri_target_parse(struct span text, struct uri_target *ret)
{
	struct uri_target target = { 0 };
	struct uri_authority authority;
	struct span scheme;
	size_t n;

	if (text.n == 0)
		return -EINVAL;
	if (text.p[0] != '/') {
		scheme = take_scheme(&text);
		if (!span_is_equal_nocase(scheme, SPAN("http")) &&
		    !span_is_equal_nocase(scheme, SPAN("https")))
			return -EINVAL;
		target.authority = span_make(text.p, find_first(text, "/?"));
		if (uri_authority_parse(target.authority, &authority) != 0)
			return -EINVAL;
		text = span_skip(text, target.authority.n);
	}
	n = find_first(text, "?");
	target.path = n > 0 ? span_make(text.p, n) : SPAN("/");
	if (n < text.n)
		target.query = span_skip(text, n + 1);
	if (!is_all(target.path, IN_PATH) || !is_all(target.query, IN_QUERY))
		return -EINVAL;
	*ret = target;
	return 0;
}

int
uri_origin_parse(struct span text, struct uri_origin *ret)
{
	struct uri_origin origin = { 0 };

	origin.scheme = take_scheme(&text);
	if (origin.scheme.n == 0 || uri_authority_parse(text, &origin.authority) != 0)
		return -EINVAL;
	*ret = origin;
	return 0;
}

int
uri_decode(struct span text, char *out, size_t cap, size_t *ret_len)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		int byte = (uint8_t)text.p[i];

		if (byte == '%') {
			byte = hex_pair(text, i + 1);
			if (byte <= 0)
				return -EINVAL;
			i += 2;
		}
		if (n == cap)
			return -ENOSPC;
		out[n++] = (char)byte;
	}
	*ret_len = n;
	return 0;
}
