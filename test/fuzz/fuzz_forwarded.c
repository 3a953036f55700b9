/*
 * Any bytes as the X-Forwarded-For of a request and as the networks that are trusted: a client that is
 * found is none of them, or all that was read were.
 */
#include "base/ip.h"
#include "fuzz.h"
#include "proto/forwarded.h"

static const char *const trusted[] = { "127.0.0.1", "10.0.0.0/8", "2001:db8::/32" };

/* The address by itself reads as what it was read as. */
static void
check_client(const struct ip *ip)
{
	static const struct ip_network none = { .prefix = 128 }, all = { 0 };

	must(ip_network_has(&all, ip));
	must(ip_network_has(&none, ip) == ip_is_equal(&none.ip, ip));
	must(!ip_is_loopback(ip) || ip_is_v4(ip) || ip->bytes[15] == 1);
}

static void
check_field(struct span first, struct span second)
{
	struct http_head head = { .header_count = 2 };
	struct ip any, client;

	head.headers[0] = (struct http_header){ SPAN("X-Forwarded-For"), first };
	head.headers[1] = (struct http_header){ SPAN("X-Forwarded-For"), second };
	/* Without a proxy that is trusted the last one counts, if it can be read. */
	if (forwarded_find(&head, NULL, 0, &any) == FORWARDED_CLIENT)
		check_client(&any);
	switch (forwarded_find(&head, trusted, ARRAY_LEN(trusted), &client)) {
	case FORWARDED_CLIENT:
		check_client(&client);
		break;
	case FORWARDED_NONE:
		must(forwarded_find(&head, NULL, 0, &any) == FORWARDED_NONE);
		break;
	case FORWARDED_BAD:
		break;
	}
}

static void
check_network(struct span text)
{
	struct ip_network network;

	if (ip_network_parse(text, &network) != 0)
		return;
	must(network.prefix <= 128);
	must(ip_network_has(&network, &network.ip));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	char *copy = block_copy(bytes, n);
	struct span text = span_make(copy, n);
	const char *newline = n > 0 ? memchr(copy, '\n', n) : NULL;
	size_t cut = newline != NULL ? (size_t)(newline - copy) : n;

	check_network(text);
	check_field(span_make(copy, cut), span_skip(text, cut + (newline != NULL)));
	free(copy);
	return 0;
}
