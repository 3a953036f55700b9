/*
 * Bounded reading of numbers from bytes that peers, people and files wrote: the whole span must be
 * the number, nothing before it, nothing after it, no overflow. Also hexadecimal, both ways.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/span.h"

/*
 * Reads decimal digits (no sign, no space; leading zeros are allowed). 0; -EINVAL when empty or
 * anything else is inside; -ERANGE above max. ret is untouched on failure.
 */
int parse_u64(struct span, uint64_t max, uint64_t *ret) must_check;

/*
 * The same with an optional leading '-'. -ERANGE below min or above max; "-0" is 0.
 */
int parse_i64(struct span, int64_t min, int64_t max, int64_t *ret) must_check;

/* Reads hexadecimal digits of either case, no prefix. Results as parse_u64. */
int parse_hex_u64(struct span, uint64_t max, uint64_t *ret) must_check;

/* The value 0..15 of a hexadecimal digit of either case, or -1. */
int hex_digit_value(char);

/* Writes n bytes as 2 * n lower-case hexadecimal digits, not terminated. */
void hex_write(char *out, const void *bytes, size_t n);
