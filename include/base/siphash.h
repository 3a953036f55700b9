/*
 * SipHash-1-3, a keyed hash of byte strings for hash tables: who does not know the key can not find
 * inputs that collide. It is no message authentication.
 */
#pragma once

#include <stdint.h>

#include "base/span.h"

struct siphash_key {
	uint64_t k0, k1;
};

/* The hash of the bytes under the key; the same on every machine for the same key bytes. */
uint64_t siphash(const struct siphash_key *, struct span);
