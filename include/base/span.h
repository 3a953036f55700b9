/*
 * A run of bytes that belongs to somebody else: pointer and length, no terminator, any byte
 * inside. Spans are passed by value and never freed; whoever makes one says how long it lives.
 * The empty span may have a NULL pointer.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
	const char *p;
	size_t n;
};

/* A span over a string literal, without its terminator. */
#define SPAN(literal) ((struct span){ "" literal, sizeof(literal) - 1 })

/* The same as an initialiser of static data. */
#define SPAN_INIT(literal)                      \
	{                                       \
		"" literal, sizeof(literal) - 1 \
	}

/* What "%.*s" takes; cuts what is longer than an int can say. */
#define SPAN_ARGS(s) (int)((s).n > 0x7fffffff ? 0x7fffffff : (s).n), (s).p != NULL ? (s).p : ""

/* The span of n bytes at p; p may be NULL when n is 0. */
static inline struct span
span_make(const char *p, size_t n)
{
	return (struct span){ p, n };
}

/* The span of a terminated string; NULL gives the empty span. */
static inline struct span
span_cstr(const char *s)
{
	return (struct span){ s, s != NULL ? strlen(s) : 0 };
}

/* Whether both hold the same bytes. */
static inline bool
span_is_equal(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Whether a holds exactly the bytes of the terminated string s. */
static inline bool
span_is(struct span a, const char *s)
{
	return span_is_equal(a, span_cstr(s));
}

/* Whether a begins with all bytes of prefix. */
static inline bool
span_has_prefix(struct span a, struct span prefix)
{
	return a.n >= prefix.n && (prefix.n == 0 || memcmp(a.p, prefix.p, prefix.n) == 0);
}

/*
 * The order of two spans by their bytes (unsigned), the shorter first where one begins the other:
 * negative, 0 or positive, as memcmp.
 */
static inline int
span_compare(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n == 0 ? 0 : memcmp(a.p, b.p, n);

	if (order != 0)
		return order;
	return a.n < b.n ? -1 : a.n > b.n;
}

/* What is left of a without its first n bytes; n must not exceed its length. */
static inline struct span
span_skip(struct span a, size_t n)
{
	return (struct span){ n == 0 ? a.p : a.p + n, a.n - n };
}

/* What is left of a without the spaces and tabs at both ends (OWS of RFC 9110 section 5.6.3). */
static inline struct span
span_trim(struct span a)
{
	while (a.n > 0 && (a.p[0] == ' ' || a.p[0] == '\t'))
		a = span_skip(a, 1);
	while (a.n > 0 && (a.p[a.n - 1] == ' ' || a.p[a.n - 1] == '\t'))
		a.n--;
	return a;
}

/*
 * Whether both hold the same bytes, when the letters A to Z count as a to z and all other bytes as
 * themselves, in any locale.
 */
static inline bool
span_is_equal_nocase(struct span a, struct span b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		unsigned char x = (unsigned char)a.p[i], y = (unsigned char)b.p[i];

		if (x != y && ((x ^ y) != 0x20 || (x | 0x20) < 'a' || (x | 0x20) > 'z'))
			return false;
	}
	return true;
}
