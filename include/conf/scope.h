/*
 * What a token allows, as a set of bits: read < write < admin, and provider beside them. A set that
 * has a scope has those below it too.
 */
#pragma once

#include <stdbool.h>

#include "base/jsonw.h"
#include "base/span.h"

enum {
	SCOPE_READ = 1,
	SCOPE_WRITE = 2,
	SCOPE_ADMIN = 4,
	SCOPE_PROVIDER = 8,
	SCOPE_ALL = 15,
	SCOPE_COUNT = 4,
};

/* The scope of this name with those below it; 0: there is none. */
unsigned scope_find(struct span name);

/* The name of bit 1 << index, "read", "write", "admin" or "provider". */
const char *scope_name(unsigned index);

/* Writes the set as an array of names. */
void scope_write(unsigned set, struct jsonw *);
