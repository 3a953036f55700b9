/*
 * What the compiler should know and the language does not say: attributes, the way back from a
 * member to its owner, and a few comparisons that evaluate their operands once.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The result says whether it worked: the compiler warns where it is dropped. */
#define must_check __attribute__((warn_unused_result))

/* Parameter number fmt is a printf format, its values begin at parameter number args. */
#define printf_like(fmt, args) __attribute__((format(printf, fmt, args)))

/* The struct of the given type whose member the pointer p points at. */
#define container_of(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))

/* Whether ThreadSanitizer looks on: gcc and clang say it in two ways. */
#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN 0
#endif

/* Number of elements of an array; not for pointers. */
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The smaller of two sizes. */
static inline size_t
min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The larger of two sizes. */
static inline size_t
max_size(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* The smaller of two 64-bit numbers. */
static inline uint64_t
min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The larger of two 64-bit numbers. */
static inline uint64_t
max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}
