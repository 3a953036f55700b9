/*
 * One form for all addresses: whoever compares two need not know of what family they are.
 */
#include "base/ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/parse.h"

enum {
	V4_AT = 12, /* where the four bytes stand */
	V4_BITS = 96,
	ALL_BITS = 128,
};

static const uint8_t v4_prefix[V4_AT] = { [10] = 0xff, [11] = 0xff };

void
ip_set_v4(struct ip *ret, const uint8_t bytes[4])
{
	memcpy(ret->bytes, v4_prefix, V4_AT);
	memcpy(ret->bytes + V4_AT, bytes, 4);
}

int
ip_parse(struct span text, struct ip *ret)
{
	char copy[INET6_ADDRSTRLEN];
	uint8_t v4[4];
	struct ip v6;

	if (text.n == 0 || text.n >= sizeof(copy) || memchr(text.p, '\0', text.n) != NULL)
		return -EINVAL;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	if (inet_pton(AF_INET, copy, v4) == 1)
		ip_set_v4(ret, v4);
	else if (inet_pton(AF_INET6, copy, v6.bytes) == 1)
		*ret = v6;
	else
		return -EINVAL;
	return 0;
}

int
ip_network_parse(struct span text, struct ip_network *ret)
{
	const char *slash = text.n > 0 ? memchr(text.p, '/', text.n) : NULL;
	size_t n = slash != NULL ? (size_t)(slash - text.p) : text.n;
	struct ip_network network = { .prefix = ALL_BITS };
	bool is_mapped;
	uint64_t bits;

	if (ip_parse(span_make(text.p, n), &network.ip) != 0)
		return -EINVAL;
	if (slash != NULL) {
		is_mapped = memchr(text.p, ':', n) == NULL;
		if (parse_u64(span_skip(text, n + 1), is_mapped ? ALL_BITS - V4_BITS : ALL_BITS,
			&bits) != 0)
			return -EINVAL;
		network.prefix = (unsigned)bits + (is_mapped ? V4_BITS : 0);
	}
	*ret = network;
	return 0;
}

bool
ip_is_v4(const struct ip *ip)
{
	return memcmp(ip->bytes, v4_prefix, V4_AT) == 0;
}

bool
ip_is_equal(const struct ip *a, const struct ip *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool
ip_is_loopback(const struct ip *ip)
{
	static const struct ip v6 = { .bytes = { [15] = 1 } };

	return ip_is_v4(ip) ? ip->bytes[V4_AT] == 127 : ip_is_equal(ip, &v6);
}

bool
ip_network_has(const struct ip_network *network, const struct ip *ip)
{
	unsigned whole = network->prefix / 8, rest = network->prefix % 8;
	uint8_t mask = (uint8_t)(0xff << (8 - rest));

	if (memcmp(network->ip.bytes, ip->bytes, whole) != 0)
		return false;
	return rest == 0 || ((network->ip.bytes[whole] ^ ip->bytes[whole]) & mask) == 0;
}
