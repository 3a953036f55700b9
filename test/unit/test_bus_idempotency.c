/*
 * Idempotency keys: a call is made once, its answer is kept for a time and within bounds, and of two processes
 * that have to do with it the one that lives ends it.
 */
#include "support_bus.h"

#include <errno.h>

#include "bus/idempotency.h"
#include "bus/layout.h"

enum { TIMEOUT_MS = 30000, KIND = 3, GRACE_MS = 10000 };

static struct buf answer;
static idempotency_ticket ticket;
static unsigned kind;

static struct idempotency *
table(void **state)
{
	const struct bus *bus = *state;

	return segment_idempotency(bus->segment);
}

static enum idempotency_verdict
begin_at(struct idempotency *t, const char *key, const char *params, unsigned slot, uint64_t now_ms)
{
	struct idempotency_call call = { .identity = span_cstr(key),
		.params = span_cstr(params),
		.slot = slot,
		.now_ms = now_ms,
		.timeout_ms = TIMEOUT_MS };

	return idempotency_begin(t, &call, &ticket, &kind, &answer);
}

static enum idempotency_verdict
begin(struct idempotency *t, const char *key)
{
	return begin_at(t, key, "{}", 0, 0);
}

static void
a_call_is_made_once(void **state)
{
	struct idempotency *t = table(state);
	idempotency_ticket first;

	assert_int_equal(begin(t, "k"), IDEMPOTENCY_FIRST);
	first = ticket;
	assert_int_equal(begin_at(t, "k", "{}", 2, 0), IDEMPOTENCY_RUNNING);
	assert_true(ticket == first);
	assert_int_equal(begin_at(t, "k", "{ }", 0, 0), IDEMPOTENCY_MISMATCH);
	assert_int_equal(begin(t, "other"), IDEMPOTENCY_FIRST);
	assert_int_equal(idempotency_look(t, first, &kind, &answer), IDEMPOTENCY_RUNNING);
	/* Somebody waits, who must be told. */
	assert_true(idempotency_finish(t, first, KIND, SPAN("\"done\""), 0));
	assert_false(idempotency_finish(t, first, 4, SPAN("\"twice\""), 0));
	for (unsigned i = 0; i < 2; i++) {
		kind = 0;
		assert_int_equal(
		    i == 0 ? begin(t, "k") : idempotency_look(t, first, &kind, &answer),
		    IDEMPOTENCY_ANSWER);
		assert_int_equal(kind, KIND);
		assert_true(span_is(buf_span(&answer), "\"done\""));
	}
	assert_int_equal(begin_at(t, "k", "{ }", 0, 0), IDEMPOTENCY_MISMATCH);
	/* Nobody waited for this one. */
	assert_int_equal(begin(t, "alone"), IDEMPOTENCY_FIRST);
	assert_false(idempotency_finish(t, ticket, KIND, SPAN(""), 0));
	assert_int_equal(begin(t, "alone"), IDEMPOTENCY_ANSWER);
	assert_int_equal(answer.len, 0);
}

static void
what_did_not_happen_may_be_asked_again(void **state)
{
	struct idempotency *t = table(state);
	idempotency_ticket first;

	assert_int_equal(begin(t, "k"), IDEMPOTENCY_FIRST);
	first = ticket;
	assert_int_equal(begin(t, "k"), IDEMPOTENCY_RUNNING);
	assert_true(idempotency_forget(t, first));
	assert_int_equal(idempotency_look(t, first, &kind, &answer), IDEMPOTENCY_GONE);
	assert_int_equal(begin(t, "k"), IDEMPOTENCY_FIRST);
	/* The old ticket is not the new call's. */
	assert_false(idempotency_finish(t, first, KIND, SPAN("1"), 0));
	assert_false(idempotency_forget(t, first));
	assert_int_equal(begin(t, "k"), IDEMPOTENCY_RUNNING);
}

static void
answers_end(void **state)
{
	struct idempotency *t = table(state);

	assert_int_equal(begin_at(t, "k", "{}", 0, 1000), IDEMPOTENCY_FIRST);
	(void)idempotency_finish(t, ticket, KIND, SPAN("1"), 2000);
	assert_int_equal(
	    begin_at(t, "k", "{}", 0, 2000 + IDEMPOTENCY_KEPT_MS - 1), IDEMPOTENCY_ANSWER);
	assert_int_equal(begin_at(t, "k", "{}", 0, 2000 + IDEMPOTENCY_KEPT_MS), IDEMPOTENCY_FIRST);
	/* One that nobody ends does so by itself. */
	assert_int_equal(begin_at(t, "lost", "{}", 0, 1000), IDEMPOTENCY_FIRST);
	assert_int_equal(
	    begin_at(t, "lost", "{}", 0, 1000 + TIMEOUT_MS + GRACE_MS - 1), IDEMPOTENCY_RUNNING);
	assert_int_equal(
	    begin_at(t, "lost", "{}", 0, 1000 + TIMEOUT_MS + GRACE_MS), IDEMPOTENCY_FIRST);
}

static void
long_answers(void **state)
{
	static char text[IDEMPOTENCY_ANSWER_MAX + 1];
	struct idempotency *t = table(state);

	memset(text, 'x', sizeof(text));
	assert_int_equal(begin(t, "fits"), IDEMPOTENCY_FIRST);
	(void)idempotency_finish(t, ticket, KIND, span_make(text, IDEMPOTENCY_ANSWER_MAX), 0);
	assert_int_equal(begin(t, "fits"), IDEMPOTENCY_ANSWER);
	assert_int_equal(answer.len, IDEMPOTENCY_ANSWER_MAX);
	assert_memory_equal(answer.data, text, IDEMPOTENCY_ANSWER_MAX);
	assert_int_equal(begin(t, "long"), IDEMPOTENCY_FIRST);
	(void)idempotency_finish(t, ticket, KIND, span_make(text, sizeof(text)), 0);
	assert_int_equal(begin(t, "long"), IDEMPOTENCY_NOT_KEPT);
	/* The oldest answers are overwritten, and then their calls are unknown; others are whole. */
	for (unsigned i = 0; i < IDEMPOTENCY_DATA / IDEMPOTENCY_ANSWER_MAX; i++) {
		char key[32];

		snprintf(key, sizeof(key), "more %u", i);
		memset(text, 'a' + (char)(i % 26), sizeof(text));
		assert_int_equal(begin(t, key), IDEMPOTENCY_FIRST);
		(void)idempotency_finish(
		    t, ticket, KIND, span_make(text, IDEMPOTENCY_ANSWER_MAX), 0);
	}
	assert_int_equal(begin(t, "more 1"), IDEMPOTENCY_ANSWER);
	memset(text, 'b', sizeof(text));
	assert_memory_equal(answer.data, text, IDEMPOTENCY_ANSWER_MAX);
	assert_int_equal(begin(t, "fits"), IDEMPOTENCY_FIRST);
}

static void
a_table_that_is_full(void **state)
{
	struct idempotency *t = table(state);
	unsigned running, finished, full = 0, i;
	char key[32];

	/* Finished ones make room, whatever their number. */
	for (i = 0; i < 3 * IDEMPOTENCY_ENTRIES; i++) {
		snprintf(key, sizeof(key), "done %u", i);
		assert_int_equal(begin_at(t, key, "{}", 0, i), IDEMPOTENCY_FIRST);
		(void)idempotency_finish(t, ticket, KIND, SPAN("1"), i);
	}
	assert_int_equal(begin_at(t, key, "{}", 0, i), IDEMPOTENCY_ANSWER);
	for (i = 0; i < 2 * IDEMPOTENCY_ENTRIES; i++) {
		snprintf(key, sizeof(key), "running %u", i);
		full += begin(t, key) == IDEMPOTENCY_FULL;
	}
	idempotency_count(t, 0, &running, &finished);
	assert_int_equal(running, IDEMPOTENCY_ENTRIES);
	assert_int_equal(finished, 0);
	assert_int_equal(full, IDEMPOTENCY_ENTRIES);
}

/* Who of owner 0 and runner 1 dies, in this order; whether the call is still there then. */
static bool
outlives(struct bus *bus, bool is_handed_over, const char *dying)
{
	struct idempotency *t = segment_idempotency(bus->segment);
	bool is_there;

	assert_int_equal(begin(t, "k"), IDEMPOTENCY_FIRST);
	if (is_handed_over)
		idempotency_hand_over(t, ticket, 1);
	assert_int_equal(idempotency_is_handed_over(t, ticket), is_handed_over);
	for (; *dying != '\0'; dying++)
		segment_clear_slot(bus->segment, (unsigned)(*dying - '0'));
	is_there = idempotency_look(t, ticket, &kind, &answer) == IDEMPOTENCY_RUNNING;
	(void)idempotency_forget(t, ticket);
	return is_there;
}

static void
whoever_lives_ends_it(void **state)
{
	struct bus *bus = *state;
	struct idempotency *t = table(state);

	assert_false(outlives(bus, false, "0"));
	assert_true(outlives(bus, false, "12"));
	assert_true(outlives(bus, true, "0"));
	assert_true(outlives(bus, true, "1"));
	assert_false(outlives(bus, true, "01"));
	assert_false(outlives(bus, true, "10"));
	/* A successor in the runner's slot is not the runner. */
	assert_true(outlives(bus, true, "11"));
	assert_int_equal(begin(t, "k"), IDEMPOTENCY_FIRST);
	idempotency_hand_over(t, ticket, 1);
	idempotency_take_back(t, ticket);
	assert_false(idempotency_is_handed_over(t, ticket));
}

static void
wild_numbers_are_not_followed(void **state)
{
	const struct bus *bus = *state;
	struct idempotency *t = table(state);
	struct idempotency_shared *shared = *(struct idempotency_shared **)(void *)t;

	(void)bus;
	assert_int_equal(begin(t, "k"), IDEMPOTENCY_FIRST);
	(void)idempotency_finish(t, ticket, KIND, SPAN("1"), 0);
	shared->entries[(ticket & UINT32_MAX) - 1].length = UINT32_MAX;
	assert_int_equal(idempotency_look(t, ticket, &kind, &answer), IDEMPOTENCY_GONE);
	shared->entries[(ticket & UINT32_MAX) - 1].length = 1;
	shared->entries[(ticket & UINT32_MAX) - 1].position = UINT64_MAX - 5;
	assert_int_equal(idempotency_look(t, ticket, &kind, &answer), IDEMPOTENCY_GONE);
	assert_int_equal(idempotency_look(t, UINT64_MAX, &kind, &answer), IDEMPOTENCY_GONE);
	assert_int_equal(idempotency_look(t, 0, &kind, &answer), IDEMPOTENCY_GONE);
	assert_int_equal(begin(t, "k"), IDEMPOTENCY_FIRST);
}

static int
teardown(void **state)
{
	buf_fini(&answer);
	return bus_teardown(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_call_is_made_once, bus_setup, teardown),
		cmocka_unit_test_setup_teardown(
		    what_did_not_happen_may_be_asked_again, bus_setup, teardown),
		cmocka_unit_test_setup_teardown(answers_end, bus_setup, teardown),
		cmocka_unit_test_setup_teardown(long_answers, bus_setup, teardown),
		cmocka_unit_test_setup_teardown(a_table_that_is_full, bus_setup, teardown),
		cmocka_unit_test_setup_teardown(whoever_lives_ends_it, bus_setup, teardown),
		cmocka_unit_test_setup_teardown(wild_numbers_are_not_followed, bus_setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
