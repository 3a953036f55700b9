/*
 * One loop for all bases; every bound is checked before the multiplication that would pass it.
 */
#include "base/parse.h"

#include <errno.h>
#include <stdbool.h>

int
hex_digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Bad bytes win over too large: "12x" is no number, however small the bound is. */
static int
parse_base(struct span text, unsigned base, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;
	bool is_too_large = false;

	if (text.n == 0)
		return -EINVAL;
	for (size_t i = 0; i < text.n; i++) {
		int digit = hex_digit_value(text.p[i]);

		if (digit < 0 || (unsigned)digit >= base)
			return -EINVAL;
		if (value > (UINT64_MAX - (unsigned)digit) / base)
			is_too_large = true;
		else
			value = value * base + (unsigned)digit;
	}
	if (is_too_large || value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

int
parse_u64(struct span text, uint64_t max, uint64_t *ret)
{
	return parse_base(text, 10, max, ret);
}

int
parse_i64(struct span text, int64_t min, int64_t max, int64_t *ret)
{
	bool is_negative = text.n > 0 && text.p[0] == '-';
	uint64_t bound = is_negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
	uint64_t size;
	int64_t value;
	int r = parse_base(span_skip(text, is_negative), 10, bound, &size);

	if (r < 0)
		return r;
	/* -(size - 1) - 1 also holds for the one number that has no positive counterpart. */
	if (is_negative && size > 0)
		value = -(int64_t)(size - 1) - 1;
	else
		value = (int64_t)size;
	if (value < min || value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

int
parse_hex_u64(struct span text, uint64_t max, uint64_t *ret)
{
	return parse_base(text, 16, max, ret);
}

void
hex_write(char *out, const void *bytes, size_t n)
{
	const unsigned char *in = bytes;

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = "0123456789abcdef"[in[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[in[i] & 15];
	}
}
