/* What the supervisor does about children that die, stand still or do not obey, and about signals. */
#include "support_supervisor.h"

#include "supervisor/backoff.h"

static struct backoff_life
life(uint64_t ready_ms, uint64_t ended_ms)
{
	return (
	    struct backoff_life){ .started_ms = 1000, .ready_ms = ready_ms, .ended_ms = ended_ms };
}

static void
test_backoff(void **state)
{
	const uint32_t waits_ms[] = { 100, 200, 400, 800, 1600, 3200, 5000, 5000 };
	const struct backoff_life never_ready = life(0, 1010), infant = life(1100, 2099),
				  adult = life(1100, 2100), old = life(1100, 11000);
	struct backoff backoff = { 0 };

	(void)state;
	assert_int_equal(backoff_after(&backoff, &adult), 0);
	for (size_t i = 0; i < ARRAY_LEN(waits_ms); i++)
		assert_int_equal(
		    backoff_after(&backoff, i % 2 == 0 ? &never_ready : &infant), waits_ms[i]);
	/* A life of some seconds is no reason to wait, and takes one doubling back. */
	assert_int_equal(backoff_after(&backoff, &adult), 0);
	assert_int_equal(backoff_after(&backoff, &infant), 5000);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(backoff_after(&backoff, &adult), 0);
	assert_int_equal(backoff_after(&backoff, &infant), 1250);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(backoff_after(&backoff, &adult), 0);
	assert_int_equal(backoff_after(&backoff, &infant), 100);
	for (size_t i = 1; i < ARRAY_LEN(waits_ms); i++)
		assert_int_equal(backoff_after(&backoff, &infant), waits_ms[i]);
	assert_int_equal(backoff_after(&backoff, &old), 0);
	assert_int_equal(backoff_after(&backoff, &infant), 100);
}

static void
await_second_life(int slot)
{
	pid_t first = stage->slots[slot].pid;

	stage_await(stage->slots[slot].starts == 2);
	assert_int_not_equal(stage->slots[slot].pid, first);
	assert_true(stage_is_gone(first));
	assert_int_equal(stage->slots[slot].fds, stage->slots[slot].expected_fds);
}

static void
test_killed_worker_is_restarted(void **state)
{
	(void)state;
	assert_true(stage_start());
	stage_kill(0, SIGKILL);
	await_second_life(0);
	assert_int_equal(stage->slots[1].starts, 1);
	assert_true(stage_log_has("was killed by signal 9 (Killed)"));
	assert_int_equal(stage_stop(), 0);
	assert_true(stage_is_gone(stage->slots[0].pid));
}

static void
test_worker_that_refuses_later(void **state)
{
	(void)state;
	stage->slots[0].act[1] = ACT_REFUSE;
	stage->slots[1].act[1] = ACT_REFUSE;
	assert_true(stage_start());
	stage_kill(0, SIGKILL);
	stage_await(stage_log_has("is not started again"));
	assert_int_equal(stage->slots[0].starts, 2);
	/* With the last one the gateway ends: it would serve nobody. */
	stage_kill(1, SIGKILL);
	assert_int_equal(stage_wait(), 2);
}

static void
test_worker_that_stands_still(void **state)
{
	(void)state;
	assert_true(stage_start());
	stage->slots[1].act[1] = ACT_STAND_STILL;
	stage_kill(1, SIGKILL);
	stage_await(stage->slots[1].starts == 3);
	assert_true(stage_log_has("has stood still for"));
	assert_int_equal(stage->slots[0].starts, 1);
	assert_int_equal(stage_stop(), 0);
}

static void
test_worker_that_holds_a_lock(void **state)
{
	(void)state;
	assert_true(stage_start());
	stage->slots[0].act[1] = ACT_HOLD_LOCK;
	stage_kill(0, SIGKILL);
	stage_await(stage->slots[0].starts == 3);
	assert_true(stage_log_has("stands still with a lock of the shared segment"));
	assert_int_equal(stage->slots[1].starts, 1);
	assert_int_equal(stage_stop(), 0);
	/* The lock is as good as new: the supervisor could still publish. */
	assert_true(stage->last_event_is_shutdown);
}

static void
test_worker_that_babbles(void **state)
{
	(void)state;
	stage->slots[0].act[1] = ACT_BABBLE;
	assert_true(stage_start());
	stage_kill(0, SIGKILL);
	stage_await(stage->slots[0].starts == 3);
	assert_true(stage_log_has("sent a broken control message"));
	assert_int_equal(stage_stop(), 0);
}

static void
test_worker_that_does_not_drain(void **state)
{
	(void)state;
	stage->conf.gateway.drain_timeout_ms = 10;
	stage->slots[0].act[0] = ACT_DEAF;
	assert_true(stage_start());
	assert_int_equal(stage_stop(), 0);
	assert_true(stage_log_has("1 processes have not ended in time"));
	assert_true(stage_is_gone(stage->slots[0].pid));
	assert_false(stage_segment_exists());
}

static void
test_stop_at_once(void **state)
{
	static const int second[] = { SIGTERM, SIGINT, SIGQUIT };

	(void)state;
	stage->conf.gateway.drain_timeout_ms = 3600000;
	for (size_t i = 0; i < ARRAY_LEN(second); i++) {
		stage->slots[0].act[0] = ACT_DEAF;
		stage->slots[1].act[0] = ACT_DEAF;
		assert_true(stage_start());
		if (second[i] != SIGQUIT) {
			stage_signal(SIGTERM);
			stage_await(stage_log_has("stopping gracefully"));
		}
		stage_signal(second[i]);
		assert_int_equal(stage_wait(), 0);
		assert_true(stage_is_gone(stage->slots[0].pid));
		assert_true(stage_is_gone(stage->slots[1].pid));
		assert_int_equal(stage_holder(), 0);
		assert_int_equal(unlink(stage->conf.gateway.log_file), 0);
	}
}

static void
test_children_ignore_signals(void **state)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 };

	(void)state;
	assert_true(stage_start());
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		stage_kill(0, numbers[i]);
	/* The supervisor takes note of those that are not for it. */
	stage_signal(SIGUSR2);
	stage_await(stage_log_has("signal ignored: User defined signal 2"));
	assert_int_equal(stage_stop(), 0);
	assert_int_equal(stage->slots[0].starts, 1);
	assert_int_equal(stage->slots[0].had_drain_reason, CONTROL_REASON_STOPPING);
}

/* All write to the new file, also those that are started later. */
static void
test_log_is_opened_again(void **state)
{
	char old[96];

	(void)state;
	assert_true(stage_start());
	(void)snprintf(old, sizeof(old), "%s.old", stage->conf.gateway.log_file);
	assert_int_equal(rename(stage->conf.gateway.log_file, old), 0);
	stage_signal(SIGUSR1);
	stage_await(stage_log_has("the log file was opened again"));
	stage_await(stage_log_has("puppet 0 has another log"));
	stage_await(stage_log_has("puppet 1 has another log"));
	stage_kill(0, SIGKILL);
	stage_await(stage->slots[0].starts == 2);
	assert_int_equal(stage->slots[0].fds, stage->slots[0].expected_fds);
	assert_int_equal(stage_stop(), 0);
	assert_int_equal(unlink(old), 0);
}

static void
test_no_orphans(void **state)
{
	uint64_t killed_ms;

	(void)state;
	stage->slots[1].act[0] = ACT_DEAF;
	assert_true(stage_start());
	stage_murder();
	killed_ms = clock_mono_ms();
	for (int i = 0; i < STAGE_WORKERS; i++)
		stage_await(stage_is_gone(stage->slots[i].pid));
	/* A process is gone a moment before the kernel has closed what it had open. */
	stage_await(stage_holder() == 0);
	assert_true(clock_mono_ms() - killed_ms < 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_backoff),
		stage_test(test_killed_worker_is_restarted),
		stage_test(test_worker_that_refuses_later),
		stage_test(test_worker_that_stands_still),
		stage_test(test_worker_that_holds_a_lock),
		stage_test(test_worker_that_babbles),
		stage_test(test_worker_that_does_not_drain),
		stage_test(test_stop_at_once),
		stage_test(test_children_ignore_signals),
		stage_test(test_log_is_opened_again),
		stage_test(test_no_orphans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
