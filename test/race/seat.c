/*
 * Views of a thread's own, over memory that all have at the same addresses; and what stands in for
 * functions that take locks: one that takes none, by which the build is shown to see that, and one
 * that the sanitizer understands.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "bus/directory_view.h"
#include "bus/ring_view.h"
#include "race.h"

enum { NS_PER_S = 1000000000 };

/* The linker puts these in place of the three (see the Makefile). */
int __real_shlock_take(struct shlock *lock, uint64_t *ret_now_ns);
void __real_shlock_give(struct shlock *lock);
int __wrap_shlock_take(struct shlock *lock, uint64_t *ret_now_ns);
void __wrap_shlock_give(struct shlock *lock);
int __wrap_pthread_mutex_clocklock(
    pthread_mutex_t *mutex, clockid_t clock, const struct timespec *deadline);

static _Thread_local bool skips_locks;

int
__wrap_shlock_take(struct shlock *lock, uint64_t *ret_now_ns)
{
	if (!skips_locks)
		return __real_shlock_take(lock, ret_now_ns);
	if (ret_now_ns != NULL)
		*ret_now_ns = 0;
	return 0;
}

void
__wrap_shlock_give(struct shlock *lock)
{
	if (!skips_locks)
		__real_shlock_give(lock);
}

/* The sanitizer knows nothing of clocklock, and of timedlock not that its holder may be dead. */
int
__wrap_pthread_mutex_clocklock(
    pthread_mutex_t *mutex, clockid_t clock, const struct timespec *deadline)
{
	uint64_t deadline_ns = (uint64_t)deadline->tv_sec * NS_PER_S + (uint64_t)deadline->tv_nsec;
	int error;

	(void)clock; /* it is that of clock_mono_ns */
	do {
		sched_yield();
		error = pthread_mutex_trylock(mutex);
	} while (error == EBUSY && clock_mono_ns() < deadline_ns);
	return error == EBUSY ? ETIMEDOUT : error;
}

void
race_skip_locks(const struct race *race)
{
	skips_locks = race->fault == RACE_FAULT_LOCK;
}

void
race_failed(const struct race *race, const char *file, int line)
{
	if (race->fault != RACE_FAULT_NONE)
		return;
	fprintf(stderr, "%s:%d: does not hold\n", file, line);
	abort();
}

uint64_t
race_note(unsigned writer, uint64_t number)
{
	uint64_t seed = number << 8 | writer;

	return torture_random(&seed) | 1;
}

static void *
part(const struct race *race, uint64_t offset)
{
	struct ring_shared *ring = segment_ring(race->segment)->parts.shared;

	return (char *)ring - race->plan.ring + offset;
}

void
seat_init(struct seat *seat, struct race *race, unsigned slot)
{
	const struct segment_plan *plan = &race->plan;
	struct mailbox_shared *mail = part(race, plan->mailboxes);
	struct directory_parts *directory = &segment_directory(race->segment)->parts;

	*seat = (struct seat){ .race = race, .slot = slot, .seed = slot + 1 };
	seat->ring = ring_new(&segment_ring(race->segment)->parts);
	seat->directory = directory_new(directory);
	seat->roster = roster_new(part(race, plan->roster), plan->slots);
	seat->counters = segment_counters(race->segment, slot);
	CHECK_RACE(race, seat->ring != NULL && seat->directory != NULL && seat->roster != NULL);
	directory_view_set_factors(seat->directory, directory->shared->factors);
	for (unsigned i = 0; i < RACE_WORKERS; i++) {
		uint64_t offset = plan->worker_mail + i * plan->layout.mailbox_bytes;

		seat->mailboxes[i] =
		    mailbox_new(&mail[i], part(race, offset), plan->layout.mailbox_bytes);
		CHECK_RACE(race, seat->mailboxes[i] != NULL);
	}
}

void
seat_fini(struct seat *seat)
{
	for (unsigned i = 0; i < RACE_WORKERS; i++)
		mailbox_free(seat->mailboxes[i]);
	roster_free(seat->roster);
	directory_free(seat->directory);
	ring_free(seat->ring);
}
