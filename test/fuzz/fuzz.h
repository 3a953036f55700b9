/*
 * What the fuzz targets have in common: how they say what must hold, and how they take decisions
 * from the bytes they are given.
 *
 * Each target is one function, called again and again in one process. It is deterministic but for
 * clocks, which no verdict depends on, and leaves nothing behind in the file system. Under
 * libFuzzer (`make fuzz`) it looks for trouble; test/fuzz/replay.c gives it the files of
 * test/fuzz/corpus, as a part of `make check`.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/span.h"

/* The target. Returns 0 always: what is wrong ends the process. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* Ends the process, and says where, when what must hold does not. */
#define must(holds) must_hold(holds, __FILE__, __LINE__, #holds)

static inline void
must_hold(bool holds, const char *file, int line, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

/* --- decisions ---------------------------------------------------------------------------- */

/* The bytes that are left to decide with. When there are none, everything is 0. */
struct feed {
	const uint8_t *p;
	size_t n;
};

/* At most n bytes, as they are. */
static inline struct span
feed_span(struct feed *feed, size_t n)
{
	struct span span = { (const char *)feed->p, n < feed->n ? n : feed->n };

	feed->p += span.n;
	feed->n -= span.n;
	return span;
}

/* A number of `size` bytes, the lowest first. */
static inline uint64_t
feed_bytes(struct feed *feed, unsigned size)
{
	struct span span = feed_span(feed, size);
	uint64_t value = 0;

	for (size_t i = span.n; i > 0; i--)
		value = value << 8 | (uint8_t)span.p[i - 1];
	return value;
}

static inline uint8_t
feed_byte(struct feed *feed)
{
	return (uint8_t)feed_bytes(feed, 1);
}

/* A number below `limit`, which is not 0. */
static inline unsigned
feed_below(struct feed *feed, unsigned limit)
{
	return (unsigned)feed_bytes(feed, limit > 256 ? 2 : 1) % limit;
}

/*
 * A number such as breaks things: small, of any width, a bit below or above a power of two, or
 * near the end of its range.
 */
static inline uint64_t
feed_wild(struct feed *feed)
{
	uint8_t how = feed_byte(feed);

	switch (how % 8) {
	case 0:
		return feed_byte(feed);
	case 1:
		return feed_bytes(feed, 2);
	case 2:
		return feed_bytes(feed, 4);
	case 3:
		return feed_bytes(feed, 8);
	case 4:
		return UINT64_MAX - feed_byte(feed);
	case 5:
		return (UINT64_C(1) << (how / 8 * 2)) + feed_byte(feed);
	case 6:
		return (UINT64_C(1) << (how / 8 * 2)) - feed_byte(feed);
	default:
		return how / 8;
	}
}

/* --- memory ------------------------------------------------------------------------------- */

/* A block of n bytes of its own, so that the sanitizer sees both its ends; to be freed. */
static inline void *
block_new(size_t n)
{
	void *block = malloc(n > 0 ? n : 1);

	must(block != NULL);
	return block;
}

static inline char *
block_copy(const void *bytes, size_t n)
{
	char *block = block_new(n);

	if (n > 0)
		memcpy(block, bytes, n);
	return block;
}

/* Lays bytes of the feed over `size` bytes at `at`, from an offset that the feed says, too. */
static inline void
overlay(struct feed *feed, void *at, size_t size)
{
	size_t offset = feed_bytes(feed, 2) % size;
	struct span span = feed_span(feed, feed_byte(feed));
	size_t n = span.n < size - offset ? span.n : size - offset;

	if (n > 0)
		memcpy((char *)at + offset, span.p, n);
}
