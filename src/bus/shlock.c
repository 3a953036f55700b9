/*
 * The lock of shared memory: glibc's robust, process-shared mutex behind a bounded wait.
 *
 * Invariants: who leaves shlock_take with 0 holds a consistent mutex; whatever else is returned,
 * the mutex is not held. `since_ns` is written by the holder alone, right after the taking.
 */
#include "bus/shlock.h"

#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/failpoint.h"

enum {
	NS_PER_MS = 1000000,
	NS_PER_S = 1000000000,
};

/*
 * The futex word: the holder's thread id, FUTEX_WAITERS, FUTEX_OWNER_DIED. That it is the id is
 * the kernel's contract for robust futexes, that it stands here is glibc's ABI.
 */
static uint32_t
futex_word(const struct shlock *lock)
{
	return (uint32_t)__atomic_load_n(&lock->mutex.__data.__lock, __ATOMIC_ACQUIRE);
}

int
shlock_init(struct shlock *lock)
{
	pthread_mutexattr_t attr;
	int error;

	memset(lock, 0, sizeof(*lock));
	error = pthread_mutexattr_init(&attr);
	if (error != 0)
		return -error;
	error = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	if (error == 0)
		error = pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	if (error == 0)
		error = pthread_mutex_init(&lock->mutex, &attr);
	pthread_mutexattr_destroy(&attr);
	return -error;
}

int
shlock_adopt(struct shlock *lock)
{
	uint64_t recoveries = shlock_recoveries(lock);
	int r;

	if (futex_word(lock) & (FUTEX_TID_MASK | FUTEX_OWNER_DIED))
		recoveries++;
	r = shlock_init(lock);
	if (r < 0)
		return r;
	atomic_store_explicit(&lock->recoveries, recoveries, memory_order_relaxed);
	return 0;
}

/* Makes the mutex whole after its holder died. What it guards never needs repair. */
static int
recover(struct shlock *lock)
{
	if (pthread_mutex_consistent(&lock->mutex) != 0) {
		pthread_mutex_unlock(&lock->mutex);
		return -ENOTRECOVERABLE;
	}
	failpoint("mutex consistent");
	atomic_fetch_add_explicit(&lock->recoveries, 1, memory_order_relaxed);
	failpoint("recoveries");
	return 0;
}

/* Translates what the mutex answered. */
static int
outcome(struct shlock *lock, int error)
{
	switch (error) {
	case 0:
		return 0;
	case EOWNERDEAD:
		return recover(lock);
	case EBUSY:
	case ETIMEDOUT:
		return -ETIMEDOUT;
	default:
		return -ENOTRECOVERABLE;
	}
}

static int
wait_for(struct shlock *lock)
{
	uint64_t deadline_ns = clock_mono_ns() + (uint64_t)SHLOCK_WAIT_MS * NS_PER_MS;
	struct timespec deadline = {
		.tv_sec = (time_t)(deadline_ns / NS_PER_S),
		.tv_nsec = (long)(deadline_ns % NS_PER_S),
	};

	return pthread_mutex_clocklock(&lock->mutex, CLOCK_MONOTONIC, &deadline);
}

int
shlock_take(struct shlock *lock, uint64_t *ret_now_ns)
{
	uint64_t now_ns;
	int error;
	int r;

	error = pthread_mutex_trylock(&lock->mutex);
	if (error == EBUSY)
		error = wait_for(lock);
	failpoint("mutex");
	r = outcome(lock, error);
	if (r < 0)
		return r;
	now_ns = clock_mono_ns();
	atomic_store_explicit(&lock->since_ns, now_ns, memory_order_relaxed);
	failpoint("since_ns");
	if (ret_now_ns != NULL)
		*ret_now_ns = now_ns;
	return 0;
}

void
shlock_give(struct shlock *lock)
{
	pthread_mutex_unlock(&lock->mutex);
	failpoint("mutex given back");
}

void
shlock_mend(struct shlock *lock)
{
	if (outcome(lock, pthread_mutex_trylock(&lock->mutex)) == 0)
		shlock_give(lock);
}

/*
 * Holder and time of taking are two words, read while others change them. A pair may be of two
 * takings; but one and the same pair at every look for `limit_ms` is one taking, or a holder that
 * stands still between taking the mutex and noting the time, which is the same for our purpose.
 */
pid_t
shlock_stuck(const struct shlock *lock, struct shlock_watch *watch, uint64_t limit_ms)
{
	pid_t holder = (pid_t)(futex_word(lock) & FUTEX_TID_MASK);
	uint64_t since_ns = atomic_load_explicit(&lock->since_ns, memory_order_relaxed);
	uint64_t now_ns = clock_mono_ns();

	if (holder == 0 || holder != watch->holder || since_ns != watch->since_ns) {
		watch->holder = holder;
		watch->since_ns = since_ns;
		watch->first_seen_ns = now_ns;
		return 0;
	}
	return now_ns - watch->first_seen_ns >= limit_ms * NS_PER_MS ? holder : 0;
}

uint64_t
shlock_recoveries(const struct shlock *lock)
{
	return atomic_load_explicit(&lock->recoveries, memory_order_relaxed);
}
