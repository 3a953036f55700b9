/*
 * Numbers into places of a width known beforehand, without printf: an event's frame is built with
 * room for seq, id and time, and the digits are set under the ring's lock, where each nanosecond
 * counts for all processes.
 */
#pragma once

#include <stdint.h>

/* How many decimal digits the number has: 1 for 0, at most 20. */
unsigned digits_decimal_width(uint64_t);

/* How many hexadecimal digits the number has: 1 for 0, at most 16. */
unsigned digits_hex_width(uint64_t);

/*
 * Writes exactly `width` decimal digits, with leading zeros where the number is shorter. Of a
 * number that is longer only the last digits are written: compare digits_decimal_width first.
 * Not terminated.
 */
void digits_put_decimal(char *out, unsigned width, uint64_t);

/* The same in lower-case hexadecimal. */
void digits_put_hex(char *out, unsigned width, uint64_t);
