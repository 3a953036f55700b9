/*
 * Bytes that end exactly where readable memory ends: reading one byte too far is a fault of the
 * processor, with or without a sanitizer.
 */
#pragma once

#include <stddef.h>

#include "base/span.h"

struct guard {
	char *map;
	size_t map_len, room;
};

/* Maps room for `room` bytes before a page that nobody may touch; fails the test if it cannot. */
void support_guard_init(struct guard *, size_t room);

/* Copies the bytes so that they end at that page; returns where they begin, until the next put. */
char *support_guard_put(struct guard *, struct span bytes);

/* Unmaps it. */
void support_guard_fini(struct guard *);
