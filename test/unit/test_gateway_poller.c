/*
 * The poller: who is ready, and when it gives the processor away and looks again.
 */
#include "support_cmocka.h"

#include <sys/socket.h>
#include <unistd.h>

#include "gateway/poller.h"
#include "support_alloc.h"

enum { OURS, PEER };

static struct poller *poller;
static int pair[2];
static unsigned calls;
static uint32_t last_ready;

/* Takes one byte, where there is one. */
static void
on_ready(void *owner, uint32_t ready)
{
	char byte;

	assert_ptr_equal(owner, pair);
	calls++;
	last_ready = ready;
	(void)!recv(pair[OURS], &byte, 1, MSG_DONTWAIT);
}

static int
set_up(void **state)
{
	(void)state;
	calls = 0;
	last_ready = 0;
	poller = poller_new(on_ready);
	return poller == NULL ? -1 : socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
}

static int
tear_down(void **state)
{
	(void)state;
	poller_free(poller);
	close(pair[OURS]);
	close(pair[PEER]);
	return 0;
}

static void
watch(uint32_t before, uint32_t events)
{
	assert_int_equal(poller_watch(poller, pair[OURS], before, events, pair), 0);
}

static void
send_bytes(size_t n)
{
	assert_int_equal(send(pair[PEER], "0123456789", n, 0), (ssize_t)n);
}

static void
test_what_is_watched_is_told(void **state)
{
	(void)state;
	watch(0, POLLER_READ);
	assert_false(poller_turn(poller));
	send_bytes(1);
	assert_true(poller_turn(poller));
	assert_int_equal(last_ready, POLLER_READ);
	watch(POLLER_READ, POLLER_WRITE);
	assert_true(poller_turn(poller));
	assert_int_equal(last_ready, POLLER_WRITE);
	watch(POLLER_WRITE, 0);
	send_bytes(1);
	assert_false(poller_turn(poller));
	assert_int_equal(calls, 2);
}

static void
test_a_descriptor_hung_up_is_ready_for_both(void **state)
{
	(void)state;
	watch(0, POLLER_READ);
	shutdown(pair[PEER], SHUT_RDWR);
	assert_true(poller_turn(poller));
	assert_int_equal(last_ready, POLLER_READ | POLLER_WRITE);
}

static void
test_nobody_who_was_ready_nothing_is_yielded_for(void **state)
{
	(void)state;
	watch(0, POLLER_READ);
	send_bytes(1);
	/* Ready, but no turn has found it so yet: that is poller_turn's to find. */
	assert_false(poller_yield(poller));
	assert_int_equal(calls, 0);
}

static void
test_after_somebody_was_ready_it_looks_once_more(void **state)
{
	(void)state;
	watch(0, POLLER_READ);
	send_bytes(2);
	assert_true(poller_turn(poller));
	assert_true(poller_yield(poller));
	assert_int_equal(calls, 2);
	/* The turn that it took counts, too; then nothing is left. */
	assert_false(poller_yield(poller));
	assert_int_equal(calls, 2);
	send_bytes(1);
	assert_false(poller_yield(poller));
	assert_int_equal(calls, 2);
}

static void
test_without_memory_there_is_none(void **state)
{
	(void)state;
	support_alloc_fail_at(1);
	assert_null(poller_new(on_ready));
	support_alloc_fail_at(0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_is_watched_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_a_descriptor_hung_up_is_ready_for_both, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_nobody_who_was_ready_nothing_is_yielded_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_after_somebody_was_ready_it_looks_once_more, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_without_memory_there_is_none, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
