/*
 * Pieces of a string's value. The text was proved valid, so an escape is known to be whole; all the
 * same nothing at or past end is read.
 */
#include "proto/jsontext.h"

#include <stdint.h>
#include <string.h>

#include "base/parse.h"

/* The four digits at p, known to be digits. */
static uint32_t
hex4(const char *p)
{
	uint32_t value = 0;
	int i;

	for (i = 0; i < 4; i++)
		value = value << 4 | ((uint32_t)hex_digit_value(p[i]) & 0xf);
	return value;
}

static bool
is_surrogate(uint32_t c)
{
	return c >= 0xd800 && c <= 0xdfff;
}

/* Takes "\uXXXX", and the second half of a surrogate pair too. */
static uint32_t
take_codepoint(struct jsontext *walk)
{
	uint32_t c = hex4(walk->p + 2), low;

	walk->p += 6;
	if (!is_surrogate(c))
		return c;
	if (c < 0xdc00 && walk->end - walk->p >= 6 && walk->p[0] == '\\' && walk->p[1] == 'u') {
		low = hex4(walk->p + 2);
		if (low >= 0xdc00 && low <= 0xdfff) {
			walk->p += 6;
			return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		}
	}
	walk->has_lone = true;
	return c;
}

static size_t
encode(uint32_t c, char out[4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* What a two-byte escape stands for. */
static char
short_escape(char c)
{
	switch (c) {
	case 'b':
		return '\b';
	case 'f':
		return '\f';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	default:
		return c;
	}
}

void
jsontext_init(struct jsontext *walk, struct span text)
{
	walk->p = text.n > 0 ? text.p : "";
	walk->end = walk->p + text.n;
	walk->has_lone = false;
}

bool
jsontext_next(struct jsontext *walk, struct span *ret_piece)
{
	size_t left = (size_t)(walk->end - walk->p);
	const char *escape;

	if (left == 0)
		return false;
	escape = memchr(walk->p, '\\', left);
	if (escape != walk->p) {
		*ret_piece = span_make(walk->p, escape != NULL ? (size_t)(escape - walk->p) : left);
		walk->p += ret_piece->n;
		return true;
	}
	if (left >= 6 && walk->p[1] == 'u') {
		*ret_piece = span_make(walk->decoded, encode(take_codepoint(walk), walk->decoded));
		return true;
	}
	if (left < 2)
		return false;
	walk->decoded[0] = short_escape(walk->p[1]);
	*ret_piece = span_make(walk->decoded, 1);
	walk->p += 2;
	return true;
}

int
jsontext_compare(struct span a, struct span b)
{
	struct jsontext walk_a, walk_b;
	struct span rest_a = { 0 }, rest_b = { 0 };

	jsontext_init(&walk_a, a);
	jsontext_init(&walk_b, b);
	for (;;) {
		bool has_a = rest_a.n > 0 || jsontext_next(&walk_a, &rest_a);
		bool has_b = rest_b.n > 0 || jsontext_next(&walk_b, &rest_b);
		size_t n;
		int r;

		if (!has_a || !has_b)
			return (has_a ? 1 : 0) - (has_b ? 1 : 0);
		n = rest_a.n < rest_b.n ? rest_a.n : rest_b.n;
		r = memcmp(rest_a.p, rest_b.p, n);
		if (r != 0)
			return r;
		rest_a = span_skip(rest_a, n);
		rest_b = span_skip(rest_b, n);
	}
}

bool
jsontext_is(struct span text, const char *plain)
{
	struct span wanted = span_cstr(plain);

	/* Escapes only ever make a text longer than its value. */
	if (text.n <= wanted.n)
		return span_is_equal(text, wanted);
	return memchr(text.p, '\\', text.n) != NULL && jsontext_compare(text, wanted) == 0;
}
