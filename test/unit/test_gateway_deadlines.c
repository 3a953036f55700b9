/*
 * Lists of deadlines: what passes, in which order, and what a callback may do to them.
 */
#include "support_cmocka.h"

#include <string.h>

#include "gateway/deadlines.h"
#include "support_alloc.h"

enum { OWNERS = 4 };

static struct deadline owners[OWNERS];
static struct deadlines *deadlines;

/* What passed, as letters: the owner's, a upwards. */
static char passed[64];

/* What the callback does, for the owner that it is called for. */
static void (*reaction)(struct deadline *deadline);

static void
on_expired(struct deadline *deadline)
{
	size_t n = strlen(passed);

	assert_true(n + 1 < sizeof(passed));
	assert_true(list_is_empty(&deadline->link));
	passed[n] = (char)('a' + (deadline - owners));
	passed[n + 1] = '\0';
	if (reaction != NULL)
		reaction(deadline);
}

static int
set_up(void **state)
{
	static const uint32_t length_ms[DEADLINE_KINDS] = {
		[DEADLINE_HANDSHAKE] = 100,
		[DEADLINE_IDLE] = 600,
		[DEADLINE_PING] = 300,
		[DEADLINE_PONG] = 50,
		[DEADLINE_CLOSE] = 20,
	};

	(void)state;
	passed[0] = '\0';
	reaction = NULL;
	deadlines = deadlines_new(length_ms, on_expired);
	for (size_t i = 0; i < OWNERS; i++)
		deadline_init(&owners[i]);
	return deadlines == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	deadlines_free(deadlines);
	return 0;
}

static void
assert_passed(uint64_t now_ms, const char *letters)
{
	passed[0] = '\0';
	deadlines_expire(deadlines, now_ms);
	assert_string_equal(passed, letters);
}

static void
test_passes_at_its_time_and_once(void **state)
{
	(void)state;
	deadline_set(deadlines, &owners[0], DEADLINE_HANDSHAKE, 1000);
	assert_passed(1099, "");
	assert_passed(1100, "a");
	assert_passed(9999, "");
}

static void
test_the_order_within_a_kind_is_that_of_setting(void **state)
{
	(void)state;
	deadline_set(deadlines, &owners[2], DEADLINE_PING, 1000);
	deadline_set(deadlines, &owners[0], DEADLINE_PING, 1010);
	deadline_set(deadlines, &owners[1], DEADLINE_PING, 1010);
	assert_passed(1305, "c");
	assert_passed(1310, "ab");
}

static void
test_kinds_have_lengths_of_their_own(void **state)
{
	(void)state;
	deadline_set(deadlines, &owners[0], DEADLINE_IDLE, 1000);
	deadline_set(deadlines, &owners[1], DEADLINE_PING, 1000);
	deadline_set(deadlines, &owners[2], DEADLINE_PONG, 1000);
	deadline_set(deadlines, &owners[3], DEADLINE_CLOSE, 1000);
	assert_passed(1020, "d");
	assert_passed(1050, "c");
	assert_passed(1300, "b");
	assert_passed(1600, "a");
}

static void
test_other_lengths_move_what_runs(void **state)
{
	uint32_t length_ms[DEADLINE_KINDS] = { 100, 600, 400, 50, 20 };

	(void)state;
	deadline_set(deadlines, &owners[0], DEADLINE_PING, 1000);
	deadline_set(deadlines, &owners[1], DEADLINE_PING, 1010);
	deadline_set(deadlines, &owners[2], DEADLINE_IDLE, 1000);
	deadlines_change(deadlines, length_ms);
	assert_passed(1399, "");
	assert_passed(1400, "a");
	length_ms[DEADLINE_PING] = 1;
	deadlines_change(deadlines, length_ms);
	deadline_set(deadlines, &owners[0], DEADLINE_PING, 1402);
	assert_passed(1402, "b");
	assert_passed(1403, "a");
	assert_passed(1600, "c");
}

static void
test_setting_again_starts_anew(void **state)
{
	(void)state;
	deadline_set(deadlines, &owners[0], DEADLINE_PING, 1000);
	deadline_set(deadlines, &owners[1], DEADLINE_PING, 1100);
	deadline_set(deadlines, &owners[0], DEADLINE_PING, 1200);
	assert_passed(1300, "");
	assert_passed(1400, "b");
	assert_passed(1500, "a");
}

static void
test_another_kind_takes_the_place_of_the_first(void **state)
{
	(void)state;
	deadline_set(deadlines, &owners[0], DEADLINE_HANDSHAKE, 1000);
	deadline_set(deadlines, &owners[0], DEADLINE_IDLE, 1000);
	assert_passed(1599, "");
	assert_passed(1600, "a");
}

static void
test_what_was_cleared_does_not_pass(void **state)
{
	(void)state;
	deadline_set(deadlines, &owners[0], DEADLINE_PONG, 1000);
	deadline_set(deadlines, &owners[1], DEADLINE_PONG, 1000);
	deadline_clear(&owners[0]);
	deadline_clear(&owners[0]);
	assert_passed(2000, "b");
}

static void
set_pong(struct deadline *deadline)
{
	if (deadline->kind == DEADLINE_PING)
		deadline_set(deadlines, deadline, DEADLINE_PONG, deadline->at_ms);
}

/* Kinds are walked one after the other: one that is set again while late passes in the same walk. */
static void
test_a_callback_may_set_it_again(void **state)
{
	(void)state;
	reaction = set_pong;
	deadline_set(deadlines, &owners[0], DEADLINE_PING, 1000);
	assert_passed(1300, "a");
	assert_int_equal(owners[0].kind, DEADLINE_PONG);
	assert_passed(1349, "");
	assert_passed(1350, "a");
	deadline_set(deadlines, &owners[0], DEADLINE_PING, 1000);
	assert_passed(5000, "aa");
}

static void
clear_others(struct deadline *deadline)
{
	for (size_t i = 0; i < OWNERS; i++) {
		if (&owners[i] != deadline)
			deadline_clear(&owners[i]);
	}
}

static void
test_a_callback_may_end_others(void **state)
{
	(void)state;
	reaction = clear_others;
	for (size_t i = 0; i < OWNERS; i++)
		deadline_set(deadlines, &owners[i], DEADLINE_CLOSE, 1000);
	assert_passed(2000, "a");
	assert_passed(3000, "");
}

static void
test_without_memory(void **state)
{
	static const uint32_t length_ms[DEADLINE_KINDS];

	(void)state;
	support_alloc_fail_at(1);
	assert_null(deadlines_new(length_ms, on_expired));
	support_alloc_fail_at(0);
	deadlines_free(NULL);
}

#define deadlines_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		deadlines_test(test_passes_at_its_time_and_once),
		deadlines_test(test_the_order_within_a_kind_is_that_of_setting),
		deadlines_test(test_kinds_have_lengths_of_their_own),
		deadlines_test(test_other_lengths_move_what_runs),
		deadlines_test(test_setting_again_starts_anew),
		deadlines_test(test_another_kind_takes_the_place_of_the_first),
		deadlines_test(test_what_was_cleared_does_not_pass),
		deadlines_test(test_a_callback_may_set_it_again),
		deadlines_test(test_a_callback_may_end_others),
		cmocka_unit_test(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
