/*
 * Checksum of what lies in shared memory: multiply and add, one word at a time.
 *
 * The factors differ from word to word, so that words that changed places are noticed, and are
 * odd, so that no change of a word is multiplied away.
 */
#include "bus/checksum.h"

#include <string.h>

enum {
	WORD = 8,
};

/* Even, so that adding it to an odd number leaves an odd one; the bits of the golden ratio. */
#define STEP UINT64_C(0x9e3779b97f4a7c16)
/* Odd; from the digits of pi. */
#define FIRST UINT64_C(0x243f6a8885a308d3)

static uint64_t
factor_at(uint64_t salt, uint64_t word)
{
	return FIRST * (2 * salt + 1) + STEP * word;
}

static uint64_t
load_word(const char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/* What is left behind the last whole word, filled up with zeros. */
static uint64_t
load_rest(const char *p, size_t len)
{
	uint64_t word = 0;

	memcpy(&word, p, len);
	return word;
}

uint64_t
checksum_bytes(const void *data, size_t len, uint64_t salt)
{
	const char *p = data;
	uint64_t factor = factor_at(salt, 0);
	uint64_t sum = 0;

	for (; len >= WORD; p += WORD, len -= WORD) {
		sum += load_word(p) * factor;
		factor += STEP;
	}
	if (len > 0)
		sum += load_rest(p, len) * factor;
	return sum;
}

uint64_t
checksum_part(const void *data, size_t len, uint64_t salt, size_t offset, size_t width)
{
	size_t word = offset / WORD;
	size_t end = offset + width;
	uint64_t sum = 0;

	if (width == 0)
		return 0;
	for (; word * WORD < end; word++) {
		const char *p = (const char *)data + word * WORD;
		size_t left = len - word * WORD;

		sum += (left >= WORD ? load_word(p) : load_rest(p, left)) * factor_at(salt, word);
	}
	return sum;
}
