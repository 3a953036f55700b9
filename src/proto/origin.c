/*
 * The Origin rule. Comparing texts would take "http://a:80" and "http://a" for two sites, and a
 * prefix of one for the other; so both sides are parsed, and what can not be parsed is refused.
 */
#include "proto/origin.h"

#include "proto/uri.h"

/* The port that an authority means under a scheme; URI_PORT_NONE when the scheme has none. */
static int
effective_port(struct span scheme, const struct uri_authority *authority)
{
	if (authority->port != URI_PORT_NONE)
		return authority->port;
	if (span_is_equal_nocase(scheme, SPAN("http")) || span_is_equal_nocase(scheme, SPAN("ws")))
		return 80;
	if (span_is_equal_nocase(scheme, SPAN("https")) ||
	    span_is_equal_nocase(scheme, SPAN("wss")))
		return 443;
	return URI_PORT_NONE;
}

static bool
origin_is_equal(const struct uri_origin *a, const struct uri_origin *b)
{
	return span_is_equal_nocase(a->scheme, b->scheme) &&
	       span_is_equal_nocase(a->authority.host, b->authority.host) &&
	       effective_port(a->scheme, &a->authority) == effective_port(b->scheme, &b->authority);
}

enum origin_verdict
origin_check(struct span origin, struct span host_header, const char *const *allowed,
    size_t allowed_count, bool tls)
{
	struct uri_origin theirs, ours = { .scheme = tls ? SPAN("https") : SPAN("http") }, entry;

	if (uri_origin_parse(origin, &theirs) != 0)
		return ORIGIN_REFUSED;
	if (uri_authority_parse(host_header, &ours.authority) == 0 &&
	    origin_is_equal(&theirs, &ours))
		return ORIGIN_OWN;
	for (size_t i = 0; i < allowed_count; i++)
		if (uri_origin_parse(span_cstr(allowed[i]), &entry) == 0 &&
		    origin_is_equal(&theirs, &entry))
			return ORIGIN_LISTED;
	return ORIGIN_REFUSED;
}
