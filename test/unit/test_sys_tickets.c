/*
 * Keys of tickets: every copy has the same, whenever it looks at the clock, and none has those that are past.
 */
#include <string.h>

#include "support_cmocka.h"
#include "sys/tickets.h"

enum { HOURS_MS = 3600 * 1000, BEGIN_MS = 7 * HOURS_MS };

static bool
is_equal(const struct tickets *a, const struct tickets *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static void
each_copy_derives_the_same(void **state)
{
	struct tickets often, seldom;

	(void)state;
	assert_int_equal(tickets_init(&often, BEGIN_MS), 0);
	seldom = often;
	for (uint64_t hour = 0; hour <= 100; hour++)
		assert_int_equal(tickets_advance(&often, BEGIN_MS + hour * HOURS_MS), 0);
	assert_int_equal(tickets_advance(&seldom, BEGIN_MS + UINT64_C(100) * HOURS_MS), 0);
	assert_true(is_equal(&often, &seldom));
	assert_int_equal(often.epoch, 100 / 12);
}

static void
keys_change_every_twelve_hours_and_count_twice_as_long(void **state)
{
	uint8_t first[TICKETS_NAME_BYTES], second[TICKETS_NAME_BYTES];
	struct tickets t;

	(void)state;
	assert_int_equal(tickets_init(&t, BEGIN_MS), 0);
	memcpy(first, t.now.name, sizeof(first));
	assert_ptr_equal(tickets_find(&t, first), &t.now);
	assert_int_equal(tickets_advance(&t, BEGIN_MS + 12 * HOURS_MS - 1), 0);
	assert_ptr_equal(tickets_find(&t, first), &t.now);
	assert_int_equal(tickets_advance(&t, BEGIN_MS + 12 * HOURS_MS), 0);
	assert_ptr_equal(tickets_find(&t, first), &t.before);
	memcpy(second, t.now.name, sizeof(second));
	assert_memory_not_equal(first, second, sizeof(first));
	assert_int_equal(tickets_advance(&t, BEGIN_MS + 24 * HOURS_MS), 0);
	assert_null(tickets_find(&t, first));
	assert_ptr_equal(tickets_find(&t, second), &t.before);
}

/* What was sealed earlier cannot be opened by who reads the memory now. */
static void
nothing_that_is_past_stays(void **state)
{
	struct tickets t, past;

	(void)state;
	assert_int_equal(tickets_init(&t, BEGIN_MS), 0);
	past = t;
	assert_int_equal(tickets_advance(&t, BEGIN_MS + 24 * HOURS_MS), 0);
	for (size_t i = 0; i + sizeof(past.secret) <= sizeof(t); i++) {
		assert_memory_not_equal((char *)&t + i, past.secret, sizeof(past.secret));
		assert_memory_not_equal((char *)&t + i, past.now.cipher, sizeof(past.now.cipher));
	}
}

static void
a_clock_that_goes_back_changes_nothing(void **state)
{
	struct tickets t, before;

	(void)state;
	assert_int_equal(tickets_init(&t, BEGIN_MS), 0);
	assert_int_equal(tickets_advance(&t, BEGIN_MS + 30 * HOURS_MS), 0);
	before = t;
	assert_int_equal(tickets_advance(&t, 0), 0);
	assert_true(is_equal(&t, &before));
}

static void
two_beginnings_have_nothing_in_common(void **state)
{
	struct tickets a, b;

	(void)state;
	assert_int_equal(tickets_init(&a, BEGIN_MS), 0);
	assert_int_equal(tickets_init(&b, BEGIN_MS), 0);
	assert_null(tickets_find(&a, b.now.name));
	assert_null(tickets_find(&a, b.before.name));
	tickets_wipe(&a);
	assert_int_equal(a.secret[0] | a.now.cipher[0] | a.before.mac[31], 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_copy_derives_the_same),
		cmocka_unit_test(keys_change_every_twelve_hours_and_count_twice_as_long),
		cmocka_unit_test(nothing_that_is_past_stays),
		cmocka_unit_test(a_clock_that_goes_back_changes_nothing),
		cmocka_unit_test(two_beginnings_have_nothing_in_common),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
