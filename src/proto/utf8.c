/*
 * UTF-8 validation. The state is not a table's row but the bounds of the next byte, which is what
 * RFC 3629's grammar says directly: only the second byte of a sequence has bounds other than
 * 80..BF, and those bounds are what keeps over-long forms, surrogates and code points past
 * U+10FFFF out.
 *
 * Most of what passes here is ASCII, so 32 bytes at a time are looked at first.
 */
#include "proto/utf8.h"

#include <string.h>

enum { ASCII_BLOCK = 32 };

static const uint64_t high_bits = 0x8080808080808080;

/* The first byte at or after p that may not be ASCII. Never reads past end. */
static const uint8_t *
skip_ascii(const uint8_t *p, const uint8_t *end)
{
	while ((size_t)(end - p) >= ASCII_BLOCK) {
		uint64_t w[ASCII_BLOCK / sizeof(uint64_t)];

		memcpy(w, p, ASCII_BLOCK);
		if (((w[0] | w[1] | w[2] | w[3]) & high_bits) != 0)
			break;
		p += ASCII_BLOCK;
	}
	while (p < end && *p < 0x80)
		p++;
	return p;
}

static bool
is_continuation(uint8_t byte)
{
	return (byte & 0xc0) == 0x80;
}

/*
 * The length of a whole sequence of two or three bytes, which is most of what is not ASCII; 0 for
 * anything else, good or bad. At least three bytes can be read at p.
 */
static size_t
take_common(const uint8_t *p)
{
	if (p[0] >= 0xc2 && p[0] < 0xe0 && is_continuation(p[1]))
		return 2;
	if (p[0] > 0xe0 && p[0] < 0xf0 && p[0] != 0xed && is_continuation(p[1]) &&
	    is_continuation(p[2]))
		return 3;
	return 0;
}

/* Begins a sequence of several bytes with its first; false when no sequence begins so. */
static bool
begin_sequence(struct utf8 *utf8, uint8_t lead)
{
	utf8->low = 0x80;
	utf8->high = 0xbf;
	if (lead < 0xc2 || lead > 0xf4)
		return false;
	if (lead < 0xe0) {
		utf8->missing = 1;
	} else if (lead < 0xf0) {
		utf8->missing = 2;
		if (lead == 0xe0)
			utf8->low = 0xa0;
		else if (lead == 0xed)
			utf8->high = 0x9f;
	} else {
		utf8->missing = 3;
		if (lead == 0xf0)
			utf8->low = 0x90;
		else if (lead == 0xf4)
			utf8->high = 0x8f;
	}
	return true;
}

void
utf8_init(struct utf8 *utf8)
{
	*utf8 = (struct utf8){ 0 };
}

bool
utf8_feed(struct utf8 *utf8, const void *data, size_t len)
{
	const uint8_t *p = data, *end;
	struct utf8 now = *utf8; /* a copy, so that it can live in registers */
	size_t n;

	if (len == 0)
		return true;
	end = p + len;
	while (p < end) {
		if (now.missing == 0) {
			if (*p < 0x80) {
				p = skip_ascii(p, end);
				continue;
			}
			n = end - p >= 3 ? take_common(p) : 0;
			p += n;
			if (n == 0 && !begin_sequence(&now, *p++))
				return false;
			continue;
		}
		if (*p < now.low || *p > now.high)
			return false;
		p++;
		now.missing--;
		now.low = 0x80;
		now.high = 0xbf;
	}
	*utf8 = now;
	return true;
}

bool
utf8_is_complete(const struct utf8 *utf8)
{
	return utf8->missing == 0;
}

bool
utf8_is_valid(struct span text)
{
	struct utf8 utf8 = { 0 };

	return utf8_feed(&utf8, text.p, text.n) && utf8_is_complete(&utf8);
}
