/*
 * The checksum of what lies in shared memory.
 *
 * It guards against torn copies and defects, not against forgers. It is a sum of 8-byte words,
 * each times an odd number of its own, modulo 2^64:
 *
 *     sum = w[0] * m[0] + w[1] * m[1] + ...        m[i] = first(salt) + i * STEP, always odd
 *
 * Any change within one word changes the sum. Being linear, the sum of bytes of which a few
 * change afterwards is mended by the difference of the words concerned: an event's check is taken
 * before the lock, and only the words under the digits that are set within the lock are summed
 * again.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * The sum of `len` bytes at `data`. The last word is filled up with zero bytes, so that the
 * length is not part of the sum. Equal bytes under another `salt` give another sum.
 */
uint64_t checksum_bytes(const void *data, size_t len, uint64_t salt);

/*
 * The part that the words touching bytes `offset` to `offset + width` (exclusive) have in
 * checksum_bytes(data, len, salt). `offset + width` must not exceed `len`.
 */
uint64_t checksum_part(const void *data, size_t len, uint64_t salt, size_t offset, size_t width);
