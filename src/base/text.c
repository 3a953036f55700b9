/*
 * Well-formed UTF-8 is decided by the first byte: it tells the length, and the bounds of the second
 * byte exclude overlong forms, surrogates and what lies beyond U+10FFFF. All further bytes are
 * 80..BF.
 */
#include "base/text.h"

#include <stdint.h>
#include <string.h>

#include "base/macros.h"

struct lead {
	unsigned char from, to;	 /* first bytes */
	unsigned char length;	 /* bytes of the character */
	unsigned char low, high; /* bounds of its second byte */
};

static const struct lead leads[] = {
	{ 0xc2, 0xdf, 2, 0x80, 0xbf },
	{ 0xe0, 0xe0, 3, 0xa0, 0xbf },
	{ 0xe1, 0xec, 3, 0x80, 0xbf },
	{ 0xed, 0xed, 3, 0x80, 0x9f },
	{ 0xee, 0xef, 3, 0x80, 0xbf },
	{ 0xf0, 0xf0, 4, 0x90, 0xbf },
	{ 0xf1, 0xf3, 4, 0x80, 0xbf },
	{ 0xf4, 0xf4, 4, 0x80, 0x8f },
};

static const char replacement[] = "\xef\xbf\xbd";

static const struct lead *
lead_of(unsigned char byte)
{
	for (size_t i = 0; i < ARRAY_LEN(leads); i++) {
		if (byte >= leads[i].from && byte <= leads[i].to)
			return &leads[i];
	}
	return NULL;
}

size_t
text_character(struct span text, bool *ret_valid)
{
	const unsigned char *p = (const unsigned char *)text.p;
	const struct lead *lead;
	size_t n = 1;

	*ret_valid = p[0] < 0x80;
	if (*ret_valid)
		return 1;
	lead = lead_of(p[0]);
	if (lead == NULL || text.n < 2 || p[1] < lead->low || p[1] > lead->high)
		return 1;
	do
		n++;
	while (n < lead->length && n < text.n && p[n] >= 0x80 && p[n] <= 0xbf);
	*ret_valid = n == lead->length;
	return n;
}

/* The byte in all eight places of a word. */
static uint64_t
spread(unsigned char byte)
{
	return UINT64_C(0x0101010101010101) * byte;
}

/* Not 0 when a byte of the word is 0; borrows make no difference to whether there is one. */
static uint64_t
zero_bytes(uint64_t word)
{
	return (word - spread(1)) & ~word & spread(0x80);
}

/* Whether all eight bytes are ASCII and stand for themselves in a JSON string. */
static bool
is_plain_word(const char *p)
{
	uint64_t word, controls;

	memcpy(&word, p, sizeof(word));
	controls = (word - spread(0x20)) & ~word & spread(0x80);
	return (controls | zero_bytes(word ^ spread('"')) | zero_bytes(word ^ spread('\\')) |
		   (word & spread(0x80))) == 0;
}

size_t
text_json_plain(struct span text)
{
	size_t at = 0;

	while (at < text.n) {
		unsigned char c = (unsigned char)text.p[at];
		bool is_valid;
		size_t n;

		if (text.n - at >= 8 && is_plain_word(text.p + at)) {
			at += 8;
			continue;
		}
		if (c < 0x20 || c == '"' || c == '\\')
			break;
		if (c < 0x80) {
			at++;
			continue;
		}
		n = text_character(span_skip(text, at), &is_valid);
		if (!is_valid)
			break;
		at += n;
	}
	return at;
}

/* The letter of the two-character escape, or 0 when the character has none. */
static char
short_escape(char c)
{
	switch (c) {
	case '"':
	case '\\':
		return c;
	case '\b':
		return 'b';
	case '\f':
		return 'f';
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	default:
		return 0;
	}
}

size_t
text_json_piece(struct span *text, char out[TEXT_JSON_PIECE_MAX])
{
	static const char hex[] = "0123456789abcdef";
	struct span from = *text;
	bool is_valid;
	size_t n = text_character(from, &is_valid);
	char letter = short_escape(from.p[0]);

	*text = span_skip(from, n);
	if (letter != 0) {
		out[0] = '\\';
		out[1] = letter;
		return 2;
	}
	if ((unsigned char)from.p[0] < 0x20) {
		memcpy(out, "\\u00", 4);
		out[4] = hex[from.p[0] >> 4];
		out[5] = hex[from.p[0] & 15];
		return 6;
	}
	if (!is_valid) {
		memcpy(out, replacement, 3);
		return 3;
	}
	memcpy(out, from.p, n);
	return n;
}

struct span
text_cut(struct span text, size_t max_bytes)
{
	size_t n = max_bytes;

	if (text.n <= max_bytes)
		return text;
	while (n > 0 && ((unsigned char)text.p[n] & 0xc0) == 0x80)
		n--;
	return span_make(text.p, n);
}
