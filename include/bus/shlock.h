/*
 * The lock of shared memory: a robust mutex between processes that may die, or be stopped, at any
 * instruction.
 *
 * What it guards is always consistent (each module commits by one last store), so the death of a
 * holder needs no repair: the next taker marks the mutex consistent, counts it, and goes on.
 * Nobody waits longer than SHLOCK_WAIT_MS. A holder that stands still is found by the supervisor,
 * which kills it; who holds the lock is read from the futex word itself, where the kernel's
 * robust protocol keeps the thread id, so there is no instant at which it is held and the holder
 * unknown.
 *
 *        0                              40          48          56          64
 *        +------------------------------+-----------+-----------+-----------+
 *        | mutex                        | since_ns  | recoveries| spare     |
 *        +------------------------------+-----------+-----------+-----------+
 *
 * Takers are processes of one thread each: their thread id is their pid.
 */
#pragma once

#include <assert.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/macros.h"

enum {
	SHLOCK_WAIT_MS = 20, /* longest time that a taker waits */
};

struct shlock {
	alignas(64) pthread_mutex_t mutex;
	_Atomic uint64_t since_ns;   /* CLOCK_MONOTONIC of the last taking */
	_Atomic uint64_t recoveries; /* how often the holder was found dead */
	uint64_t spare;
};

static_assert(sizeof(struct shlock) == 64, "a lock is one cache line");

/* What a watchdog remembers between two looks at one lock. Zero-initialised is valid. */
struct shlock_watch {
	pid_t holder;
	uint64_t since_ns;
	uint64_t first_seen_ns;
};

/*
 * Makes a new lock of the memory at `lock`, whatever that holds. Only while no other process can
 * use it. Returns 0 or -errno.
 */
int shlock_init(struct shlock *lock) must_check;

/*
 * The same for a lock left by processes that are all dead: `recoveries` goes on, and counts one
 * more
 * if one of them held it. Returns 0 or -errno.
 */
int shlock_adopt(struct shlock *lock) must_check;

/*
 * Takes the lock. `ret_now_ns`, unless NULL, gets CLOCK_MONOTONIC of the taking.
 * Returns 0; -ETIMEDOUT after SHLOCK_WAIT_MS; -ENOTRECOVERABLE if the mutex is damaged.
 */
int shlock_take(struct shlock *lock, uint64_t *ret_now_ns) must_check;

/* Gives back what shlock_take took. */
void shlock_give(struct shlock *lock);

/*
 * Takes the lock and gives it back if it is free, so that a dead holder is counted and forgotten.
 */
void shlock_mend(struct shlock *lock);

/*
 * For the supervisor, to be called again and again (every 100 ms or so): the pid of one and the
 * same holder that was seen in one and the same taking for `limit_ms` or longer, else 0.
 */
pid_t shlock_stuck(const struct shlock *lock, struct shlock_watch *watch, uint64_t limit_ms);

/* How often a dead holder was found. */
uint64_t shlock_recoveries(const struct shlock *lock);
