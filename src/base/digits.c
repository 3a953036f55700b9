/*
 * Decimal digits are set two at a time from a table: half the divisions.
 */
#include "base/digits.h"

#include <string.h>

static const char pairs[] = "00010203040506070809"
			    "10111213141516171819"
			    "20212223242526272829"
			    "30313233343536373839"
			    "40414243444546474849"
			    "50515253545556575859"
			    "60616263646566676869"
			    "70717273747576777879"
			    "80818283848586878889"
			    "90919293949596979899";

unsigned
digits_decimal_width(uint64_t value)
{
	unsigned width = 1;

	for (; value >= 10000; value /= 10000)
		width += 4;
	return width + (value >= 10) + (value >= 100) + (value >= 1000);
}

unsigned
digits_hex_width(uint64_t value)
{
	return value == 0 ? 1 : (67 - (unsigned)__builtin_clzll(value)) / 4;
}

void
digits_put_decimal(char *out, unsigned width, uint64_t value)
{
	for (; width >= 2; width -= 2) {
		memcpy(out + width - 2, pairs + 2 * (value % 100), 2);
		value /= 100;
	}
	if (width == 1)
		out[0] = (char)('0' + value % 10);
}

void
digits_put_hex(char *out, unsigned width, uint64_t value)
{
	for (; width > 0; width--) {
		out[width - 1] = "0123456789abcdef"[value & 15];
		value >>= 4;
	}
}
