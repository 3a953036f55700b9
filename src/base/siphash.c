/*
 * Jean-Philippe Aumasson and Daniel J. Bernstein, "SipHash: a fast short-input PRF" (2012), with
 * one round for each word and three at the end, as hash tables of several languages use it.
 */
#include "base/siphash.h"

#include <endian.h>
#include <string.h>

struct state {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t
rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void
mix(struct state *s)
{
	s->v0 += s->v1;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v2 = rotate(s->v2, 32);
}

static inline void
absorb(struct state *s, uint64_t word)
{
	s->v3 ^= word;
	mix(s);
	s->v0 ^= word;
}

/* Up to eight bytes as a little-endian word. */
static inline uint64_t
load(const char *p, size_t n)
{
	uint64_t word = 0;

	if (n > 0)
		memcpy(&word, p, n);
	return le64toh(word);
}

uint64_t
siphash(const struct siphash_key *key, struct span text)
{
	struct state s = {
		.v0 = key->k0 ^ 0x736f6d6570736575,
		.v1 = key->k1 ^ 0x646f72616e646f6d,
		.v2 = key->k0 ^ 0x6c7967656e657261,
		.v3 = key->k1 ^ 0x7465646279746573,
	};
	uint64_t length_byte = (uint64_t)text.n << 56;

	for (; text.n >= 8; text = span_skip(text, 8))
		absorb(&s, load(text.p, 8));
	absorb(&s, length_byte | load(text.p, text.n));
	s.v2 ^= 0xff;
	for (int i = 0; i < 3; i++)
		mix(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
