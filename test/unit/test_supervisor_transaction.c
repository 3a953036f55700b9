/* The order of reloads: who is owed what, whatever happens in between. */
#include "support_cmocka.h"

#include "supervisor/transaction.h"

static struct transaction transaction;

static int
set_up(void **state)
{
	*state = &transaction;
	transaction = (struct transaction){ 0 };
	return 0;
}

/* Begins one that two members have to take. */
static uint64_t
begin_with_two(struct transaction *t)
{
	uint64_t number;

	assert_true(transaction_is_due(t));
	number = transaction_begin(t);
	for (unsigned i = 0; i < 2; i++) {
		transaction_meet(t, i, 1);
		transaction_owe(t, i);
	}
	assert_false(transaction_settle(t));
	return number;
}

static void
assert_asker(struct transaction *t, unsigned member, uint64_t ticket)
{
	unsigned got = 99;
	uint64_t its = 0;

	assert_true(transaction_next_asker(t, &got, &its));
	assert_int_equal(got, member);
	assert_int_equal(its, ticket);
}

static void
assert_no_asker(struct transaction *t)
{
	unsigned got;
	uint64_t its;

	assert_false(transaction_next_asker(t, &got, &its));
}

static void
test_it_is_over_when_all_have_taken_it(void **state)
{
	struct transaction *t = *state;
	uint64_t number;

	assert_false(transaction_is_due(t));
	transaction_want(t);
	number = begin_with_two(t);
	assert_false(transaction_is_due(t));
	assert_false(transaction_take(t, 0, number + 1));
	assert_false(transaction_take(t, 2, number));
	assert_true(transaction_take(t, 0, number));
	assert_false(transaction_take(t, 0, number));
	assert_false(transaction_settle(t));
	assert_true(transaction_owes(t, 1));
	assert_true(transaction_take(t, 1, number));
	assert_true(transaction_settle(t));
	assert_no_asker(t);
	transaction_end(t);
	assert_false(transaction_is_due(t));
}

static void
test_however_many_are_wanted_meanwhile_are_one_more(void **state)
{
	struct transaction *t = *state;

	transaction_want(t);
	transaction_want(t);
	(void)begin_with_two(t);
	for (int i = 0; i < 5; i++)
		transaction_want(t);
	assert_false(transaction_is_due(t));
	transaction_skip(t);
	assert_true(transaction_settle(t));
	transaction_end(t);
	assert_true(transaction_is_due(t));
	(void)transaction_begin(t);
	transaction_skip(t);
	transaction_end(t);
	assert_false(transaction_is_due(t));
}

static void
test_the_dead_owe_nothing(void **state)
{
	struct transaction *t = *state;
	uint64_t number;

	transaction_want(t);
	number = begin_with_two(t);
	transaction_meet(t, 0, 0);
	transaction_meet(t, 1, 2);
	assert_true(transaction_settle(t));
	/* The successor was not given it. */
	assert_false(transaction_take(t, 1, number));
}

static void
test_who_asks_meanwhile_is_answered_by_the_next(void **state)
{
	struct transaction *t = *state;

	transaction_meet(t, 0, 1);
	assert_true(transaction_ask(t, 0, 11));
	assert_false(transaction_ask(t, 0, 12));
	(void)begin_with_two(t);
	assert_true(transaction_ask(t, 1, 21));
	transaction_skip(t);
	assert_asker(t, 0, 11);
	assert_no_asker(t);
	transaction_end(t);
	assert_true(transaction_is_due(t));
	(void)transaction_begin(t);
	transaction_skip(t);
	assert_asker(t, 1, 21);
	assert_no_asker(t);
	transaction_end(t);
	/* It may ask again. */
	assert_true(transaction_ask(t, 0, 12));
}

static void
test_the_dead_get_no_answer(void **state)
{
	struct transaction *t = *state;

	transaction_meet(t, 3, 1);
	assert_true(transaction_ask(t, 3, 5));
	transaction_meet(t, 3, 2);
	(void)transaction_begin(t);
	transaction_skip(t);
	assert_no_asker(t);
}

#define transaction_test(test) cmocka_unit_test_setup(test, set_up)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		transaction_test(test_it_is_over_when_all_have_taken_it),
		transaction_test(test_however_many_are_wanted_meanwhile_are_one_more),
		transaction_test(test_the_dead_owe_nothing),
		transaction_test(test_who_asks_meanwhile_is_answered_by_the_next),
		transaction_test(test_the_dead_get_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
