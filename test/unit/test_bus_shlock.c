/*
 * The lock: held by one, never waited for without end, and not lost with its holder.
 */
#include "support_cmocka.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "bus/shlock.h"
#include "support_children.h"

static struct shlock *
make_lock(void)
{
	struct shlock *lock = support_share(sizeof(*lock));

	assert_int_equal(shlock_init(lock), 0);
	return lock;
}

static bool
is_held_by(const struct shlock *lock, pid_t pid)
{
	int word = __atomic_load_n(&lock->mutex.__data.__lock, __ATOMIC_ACQUIRE);

	return (word & FUTEX_TID_MASK) == pid;
}

/* A child that has taken the lock and waits to be killed. */
static pid_t
make_holder(struct shlock *lock)
{
	uint64_t deadline = support_deadline(SUPPORT_PATIENCE_MS);
	pid_t pid = support_fork();

	if (pid == 0) {
		if (shlock_take(lock, NULL) < 0)
			_exit(EXIT_FAILURE);
		for (;;)
			pause();
	}
	while (!is_held_by(lock, pid))
		assert_true(support_wait(deadline));
	return pid;
}

static void
test_take_and_give(void **state)
{
	struct shlock *lock = make_lock();
	uint64_t before_ns = clock_mono_ns();
	uint64_t now_ns = 0;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(shlock_take(lock, &now_ns), 0);
		assert_true(now_ns >= before_ns && now_ns <= clock_mono_ns());
		assert_true(is_held_by(lock, getpid()));
		shlock_give(lock);
		assert_true(is_held_by(lock, 0));
	}
	assert_true(shlock_recoveries(lock) == 0);
}

static void
test_wait_is_bounded(void **state)
{
	struct shlock *lock = make_lock();
	pid_t holder = make_holder(lock);
	uint64_t began_ms = clock_mono_ms();

	(void)state;
	assert_int_equal(shlock_take(lock, NULL), -ETIMEDOUT);
	assert_true(clock_mono_ms() - began_ms >= SHLOCK_WAIT_MS - 1);
	shlock_mend(lock);
	assert_true(is_held_by(lock, holder));
	support_kill(holder);
}

static void
test_dead_holder_is_survived(void **state)
{
	struct shlock *lock = make_lock();

	(void)state;
	for (unsigned i = 1; i <= 20; i++) {
		support_kill(make_holder(lock));
		assert_int_equal(shlock_take(lock, NULL), 0);
		assert_true(shlock_recoveries(lock) == i);
		shlock_give(lock);
	}
}

static void
test_mend_counts_a_dead_holder(void **state)
{
	struct shlock *lock = make_lock();

	(void)state;
	shlock_mend(lock);
	assert_true(shlock_recoveries(lock) == 0);
	support_kill(make_holder(lock));
	shlock_mend(lock);
	assert_true(shlock_recoveries(lock) == 1);
	shlock_mend(lock);
	assert_true(shlock_recoveries(lock) == 1);
}

/* Takes the lock, however often its patience ends before the test has had its turn. */
static void
wait_and_end(struct shlock *lock)
{
	int r;

	do {
		r = shlock_take(lock, NULL);
	} while (r == -ETIMEDOUT);
	_exit(r == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* Who waits when the holder dies gets the lock, and loses it by its own death in turn. */
static void
test_waiter_inherits(void **state)
{
	struct shlock *lock = make_lock();

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		uint64_t deadline = support_deadline(SUPPORT_PATIENCE_MS);
		pid_t holder = make_holder(lock);
		pid_t waiter = support_fork();

		if (waiter == 0)
			wait_and_end(lock);
		while (!(__atomic_load_n(&lock->mutex.__data.__lock, __ATOMIC_RELAXED) &
			 (int)FUTEX_WAITERS))
			assert_true(support_wait(deadline));
		kill(holder, SIGKILL);
		support_reap(holder);
		assert_int_equal(support_reap(waiter), EXIT_SUCCESS);
		/* It ended with the lock in its hand, too. */
		shlock_mend(lock);
		assert_true(shlock_recoveries(lock) == 2 * (i + 1));
	}
}

static void
test_given_up_lock_is_said_to_be(void **state)
{
	struct shlock *lock = make_lock();

	(void)state;
	support_kill(make_holder(lock));
	assert_int_equal(pthread_mutex_lock(&lock->mutex), EOWNERDEAD);
	pthread_mutex_unlock(&lock->mutex);
	assert_int_equal(shlock_take(lock, NULL), -ENOTRECOVERABLE);
	assert_int_equal(shlock_adopt(lock), 0);
	assert_int_equal(shlock_take(lock, NULL), 0);
	shlock_give(lock);
}

static void
test_adoption_goes_on_counting(void **state)
{
	struct shlock *lock = make_lock();

	(void)state;
	support_kill(make_holder(lock));
	assert_int_equal(shlock_adopt(lock), 0);
	assert_true(shlock_recoveries(lock) == 1);
	assert_int_equal(shlock_adopt(lock), 0);
	assert_true(shlock_recoveries(lock) == 1);
	assert_int_equal(shlock_take(lock, NULL), 0);
	shlock_give(lock);
}

/* Only one and the same taking counts, however often the lock is found held. */
static void
test_holder_that_stands_still_is_found(void **state)
{
	struct shlock *lock = make_lock();
	struct shlock_watch watch = { 0 };
	uint64_t deadline = support_deadline(SUPPORT_PATIENCE_MS);
	uint64_t began_ms;
	pid_t holder;

	(void)state;
	assert_int_equal(shlock_stuck(lock, &watch, 0), 0);
	holder = make_holder(lock);
	support_stop(holder);
	began_ms = clock_mono_ms();
	while (shlock_stuck(lock, &watch, 50) == 0)
		assert_true(support_wait(deadline));
	assert_true(clock_mono_ms() - began_ms >= 49);
	assert_int_equal(shlock_stuck(lock, &watch, 50), holder);
	support_kill(holder);
	assert_int_equal(shlock_stuck(lock, &watch, 0), 0);
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(shlock_take(lock, NULL), 0);
		assert_int_equal(shlock_stuck(lock, &watch, 0), 0);
		shlock_give(lock);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_take_and_give),
		cmocka_unit_test(test_wait_is_bounded),
		cmocka_unit_test(test_dead_holder_is_survived),
		cmocka_unit_test(test_mend_counts_a_dead_holder),
		cmocka_unit_test(test_waiter_inherits),
		cmocka_unit_test(test_given_up_lock_is_said_to_be),
		cmocka_unit_test(test_adoption_goes_on_counting),
		cmocka_unit_test(test_holder_that_stands_still_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
