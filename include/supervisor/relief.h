/*
 * A worker that has taken too much memory is relieved: another one is started first, and when that serves the fat
 * one retires (1012, a few clients at a time). One at a time.
 */
#pragma once

#include <stdint.h>

struct child;
struct crew;

/* Zero-initialised is valid: nobody is relieved. */
struct relief {
	struct child *fat, *spare;
};

/*
 * The worker has `own_bytes` of memory of its own.  Begins to relieve it if that is more than `limit` (0: any
 * number is right), it has served for some seconds, and nobody else is being relieved.
 */
void relief_consider(struct relief *relief, struct crew *crew, struct child *child,
    uint64_t own_bytes, uint64_t limit);

/* Goes on with it: to be called now and then.  drain_timeout_ms: for the one that retires. */
void relief_tick(struct relief *relief, struct crew *crew, uint32_t drain_timeout_ms);
