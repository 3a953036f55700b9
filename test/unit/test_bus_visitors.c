/*
 * Where clients come from: limits hold over all processes, what a dead one had counts no more, and
 * whoever guesses is refused for a time.
 */
#include "support_bus.h"

#include <sys/wait.h>

#include "base/clock.h"
#include "bus/layout.h"
#include "bus/visitors.h"

static const struct visitors_limits no_limits = { 0 };

static struct ip
ip(const char *text)
{
	struct ip ret;

	assert_int_equal(ip_parse(span_cstr(text), &ret), 0);
	return ret;
}

static struct visitors *
table(void **state)
{
	const struct bus *bus = *state;

	return segment_visitors(bus->segment);
}

static void
expect_counted(struct visitors *v, const char *text, uint32_t connections, uint32_t strangers)
{
	struct ip address = ip(text);
	struct visitors_limits counted;

	visitors_get(v, &address, &counted);
	assert_int_equal(counted.connections, connections);
	assert_int_equal(counted.strangers, strangers);
}

static struct visitor
enter(struct visitors *v, const char *text)
{
	struct ip address = ip(text);
	struct visitor visitor;

	assert_int_equal(visitors_enter(v, &address, &no_limits, &visitor), VISITORS_COUNTED);
	return visitor;
}

static void
counts(void **state)
{
	struct visitors *v = table(state);
	struct visitor a = enter(v, "192.0.2.1"), b = enter(v, "::ffff:192.0.2.1");

	expect_counted(v, "192.0.2.1", 2, 2);
	visitors_know(v, &a);
	visitors_know(v, &a);
	expect_counted(v, "192.0.2.1", 2, 1);
	visitors_leave(v, &a);
	visitors_leave(v, &a);
	expect_counted(v, "192.0.2.1", 1, 1);
	visitors_leave(v, &b);
	expect_counted(v, "192.0.2.1", 0, 0);
}

static void
limits(void **state)
{
	const struct visitors_limits limits = { .connections = 3, .strangers = 2 };
	struct visitors *v = table(state);
	struct visitor a = enter(v, "2001:db8::1"), b = enter(v, "2001:db8::2"), c;
	struct ip same_64 = ip("2001:db8::ffff:1"), other_64 = ip("2001:db8:0:1::1");

	assert_int_equal(visitors_enter(v, &same_64, &limits, &c), VISITORS_TOO_MANY_STRANGERS);
	assert_int_equal(c.round, 0);
	visitors_know(v, &a);
	assert_int_equal(visitors_enter(v, &same_64, &limits, &c), VISITORS_COUNTED);
	visitors_know(v, &b);
	assert_int_equal(visitors_enter(v, &same_64, &limits, &b), VISITORS_TOO_MANY_CONNECTIONS);
	assert_int_equal(visitors_enter(v, &other_64, &limits, &b), VISITORS_COUNTED);
	expect_counted(v, "2001:db8::", 3, 1);
}

/* IPv4 as IPv6 networks write it is not taken for another address. */
static void
families(void **state)
{
	struct visitors *v = table(state);
	struct visitor a = enter(v, "192.0.2.1");

	(void)a;
	expect_counted(v, "192.0.2.1", 1, 1);
	expect_counted(v, "::192.0.2.1", 0, 0);
}

static void
rounds(void **state)
{
	struct bus *bus = *state;
	struct visitors *v = table(state);
	uint32_t round = visitors_round(v);
	struct visitor ours = enter(v, "192.0.2.1"), theirs = enter(v, "192.0.2.1");
	struct visitor known = enter(v, "192.0.2.1"), gone = enter(v, "192.0.2.1");

	(void)theirs;
	visitors_know(v, &known);
	segment_clear_slot(bus->segment, 1);
	assert_int_not_equal(visitors_round(v), round);
	/* What belongs to the round before is not taken away from the new one. */
	visitors_leave(v, &gone);
	expect_counted(v, "192.0.2.1", 0, 0);
	assert_true(visitors_count_again(v, &ours));
	assert_true(visitors_count_again(v, &ours));
	assert_true(visitors_count_again(v, &known));
	expect_counted(v, "192.0.2.1", 2, 1);
	visitors_leave(v, &known);
	visitors_leave(v, &ours);
	expect_counted(v, "192.0.2.1", 0, 0);
	assert_true(visitors_count_again(v, &gone));
	expect_counted(v, "192.0.2.1", 0, 0);
}

/* A set that is full of addresses with connections counts no further one, and turns none away. */
static void
full(void **state)
{
	const struct visitors_limits one = { .connections = 1, .strangers = 1 };
	struct visitors *v = table(state);
	unsigned uncounted = 0, counted = 0;

	for (unsigned i = 0; i < 4 * visitors_lines(BUS_CONNECTIONS); i++) {
		struct ip address;
		struct visitor visitor;

		ip_set_v4(&address, (const uint8_t[4]){ 10, 0, (uint8_t)(i >> 8), (uint8_t)i });
		switch (visitors_enter(v, &address, &one, &visitor)) {
		case VISITORS_COUNTED:
			counted++;
			break;
		case VISITORS_UNCOUNTED:
			uncounted++;
			visitors_know(v, &visitor);
			visitors_leave(v, &visitor);
			break;
		case VISITORS_TOO_MANY_CONNECTIONS:
		case VISITORS_TOO_MANY_STRANGERS:
			fail();
		}
	}
	assert_int_equal(counted, visitors_lines(BUS_CONNECTIONS));
	assert_true(uncounted > 0);
	assert_int_equal(visitors_take_overlooked(v), uncounted);
	assert_int_equal(visitors_take_overlooked(v), 0);
}

/* --- refusals --------------------------------------------------------------------------------- */

static const struct visitors_rule rule = {
	.failures = 10, .within_ms = 60000, .refuse_ms = 300000
};

static unsigned
fail_until_refused(struct visitors *v, const char *text, unsigned most)
{
	struct ip address = ip(text);

	for (unsigned i = 1; i <= most; i++) {
		if (visitors_fail(v, &address, &rule))
			return i;
	}
	return 0;
}

static uint64_t
refused_ms(const struct visitors *v, const char *text)
{
	struct ip address = ip(text);

	return visitors_refused_ms(v, &address, clock_mono_ms());
}

static void
refused(void **state)
{
	struct visitors *v = table(state);

	assert_int_equal(fail_until_refused(v, "192.0.2.1", 9), 0);
	assert_int_equal(refused_ms(v, "192.0.2.1"), 0);
	assert_int_equal(fail_until_refused(v, "192.0.2.1", 1), 1);
	assert_in_range(refused_ms(v, "192.0.2.1"), 290000, 300000);
	assert_int_equal(refused_ms(v, "192.0.2.2"), 0);
	/* It is told once, and not made longer by those that come meanwhile. */
	assert_int_equal(fail_until_refused(v, "192.0.2.1", 40), 0);
	assert_in_range(refused_ms(v, "192.0.2.1"), 290000, 300000);
	assert_int_equal(
	    visitors_refused_ms(v, &(struct ip[]){ ip("192.0.2.1") }[0], clock_mono_ms() + 300001),
	    0);
}

static void
refused_by_network(void **state)
{
	struct visitors *v = table(state);

	assert_int_equal(fail_until_refused(v, "2001:db8::1", 5), 0);
	assert_int_equal(fail_until_refused(v, "2001:db8::2", 10), 5);
	assert_int_not_equal(refused_ms(v, "2001:db8::3"), 0);
	assert_int_equal(refused_ms(v, "2001:db8:1::1"), 0);
}

/* Failures that lie further back than the rule looks count no more. */
static void
old_failures(void **state)
{
	const struct visitors_rule short_rule = {
		.failures = 2, .within_ms = 0, .refuse_ms = 1000
	};
	struct visitors *v = table(state);
	struct ip address = ip("192.0.2.1");
	uint64_t begin_ms = clock_mono_ms();

	assert_false(visitors_fail(v, &address, &short_rule));
	while (clock_mono_ms() < begin_ms + 130)
		usleep(1000);
	assert_false(visitors_fail(v, &address, &short_rule));
}

/* Neither one failure of many others, nor their connections, have it forgotten. */
static void
refused_is_kept(void **state)
{
	struct visitors *v = table(state);

	assert_int_equal(fail_until_refused(v, "192.0.2.1", 10), 10);
	for (unsigned i = 0; i < 20 * visitors_lines(BUS_CONNECTIONS); i++) {
		struct ip address;

		ip_set_v4(&address, (const uint8_t[4]){ 10, 1, (uint8_t)(i >> 8), (uint8_t)i });
		assert_false(visitors_fail(v, &address, &rule));
	}
	assert_int_not_equal(refused_ms(v, "192.0.2.1"), 0);
}

static void
refused_everywhere(void **state)
{
	struct bus *bus = *state;
	struct visitors *v = table(state);
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(fail_until_refused(v, "192.0.2.1", 10) == 10 ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_not_equal(refused_ms(v, "192.0.2.1"), 0);
	segment_clear_slot(bus->segment, 1);
	assert_int_not_equal(refused_ms(v, "192.0.2.1"), 0);
}

/* Who stands still with the lock keeps nobody from coming, and what could not be counted is. */
static void
lock_is_held(void **state)
{
	struct visitors *v = table(state);
	struct visitors_shared *const *view = (const void *)v;
	struct visitor visitor = enter(v, "192.0.2.1"), other;
	struct ip address = ip("192.0.2.1");
	uint32_t round = visitors_round(v);
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (shlock_take(&(*view)->lock, NULL) != 0 || raise(SIGSTOP) != 0)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(visitors_enter(v, &address, &no_limits, &other), VISITORS_UNCOUNTED);
	assert_false(visitors_fail(v, &address, &rule));
	assert_int_equal(visitors_take_overlooked(v), 2);
	visitors_leave(v, &visitor);
	assert_int_not_equal(visitors_round(v), round);
	visitor.round = round;
	assert_false(visitors_count_again(v, &visitor));
	assert_int_equal(visitors_stuck_holder(v, 0), 0);
	assert_int_equal(visitors_stuck_holder(v, 0), pid);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	visitor = enter(v, "192.0.2.1");
	expect_counted(v, "192.0.2.1", 1, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(counts, bus_setup, bus_teardown),
		cmocka_unit_test_setup_teardown(limits, bus_setup, bus_teardown),
		cmocka_unit_test_setup_teardown(families, bus_setup, bus_teardown),
		cmocka_unit_test_setup_teardown(rounds, bus_setup, bus_teardown),
		cmocka_unit_test_setup_teardown(full, bus_setup, bus_teardown),
		cmocka_unit_test_setup_teardown(refused, bus_setup, bus_teardown),
		cmocka_unit_test_setup_teardown(refused_by_network, bus_setup, bus_teardown),
		cmocka_unit_test_setup_teardown(old_failures, bus_setup, bus_teardown),
		cmocka_unit_test_setup_teardown(refused_is_kept, bus_setup, bus_teardown),
		cmocka_unit_test_setup_teardown(refused_everywhere, bus_setup, bus_teardown),
		cmocka_unit_test_setup_teardown(lock_is_held, bus_setup, bus_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
