/*
 * Two texts never decode to the same bytes: a token cannot be changed without its signature noticing.
 */
#include "proto/base64url.h"

#include <errno.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int
value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	return c == '_' ? 63 : -1;
}

int
base64url_decode(struct span text, uint8_t *out, size_t cap, size_t *ret_n)
{
	uint32_t word = 0;
	unsigned bits = 0;
	size_t n = 0;

	if (text.n % 4 == 1)
		return -EINVAL;
	for (size_t i = 0; i < text.n; i++) {
		int value = value_of(text.p[i]);

		if (value < 0)
			return -EINVAL;
		word = (word << 6 | (uint32_t)value) & 0xffff;
		bits += 6;
		if (bits < 8)
			continue;
		bits -= 8;
		if (n == cap)
			return -ENOSPC;
		out[n++] = (uint8_t)(word >> bits);
	}
	if ((word & ((1U << bits) - 1)) != 0)
		return -EINVAL;
	*ret_n = n;
	return 0;
}

void
base64url_encode(const uint8_t *bytes, size_t n, char *out)
{
	uint32_t word = 0;
	unsigned bits = 0;

	for (size_t i = 0; i < n; i++) {
		word = (word << 8 | bytes[i]) & 0xffff;
		for (bits += 8; bits >= 6; bits -= 6)
			*out++ = alphabet[word >> (bits - 6) & 63];
	}
	if (bits > 0)
		*out++ = alphabet[word << (6 - bits) & 63];
}
