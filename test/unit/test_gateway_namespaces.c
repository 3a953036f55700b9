/*
 * Which events a client may publish, and the bounded labels under which events and openings of
 * connections are counted.
 */
#include "support_cmocka.h"

#include <string.h>

#include "bus/counters.h"
#include "gateway/namespaces.h"
#include "gateway/outcomes.h"

static void
assert_label(const char *event, const char *label)
{
	assert_string_equal(namespace_name(namespace_index(span_cstr(event))), label);
}

static void
test_the_first_part_is_the_label(void **state)
{
	(void)state;
	assert_label("agent.delta", "agent");
	assert_label("channel.connected", "channel");
	assert_label("session.message", "session");
	assert_label("cron.added.twice", "cron");
	assert_label("config.reloaded", "config");
	assert_label("skill.changed", "skill");
	assert_label("hook.deploy", "hook");
	assert_label("gateway.gap", "gateway");
	assert_label("agent", "agent");
}

static void
test_all_other_names_share_one_label(void **state)
{
	(void)state;
	assert_label("mine.own", "other");
	assert_label("agents.delta", "other");
	assert_label("agen", "other");
	assert_label("Agent.delta", "other");
	assert_label("gateway-x.gap", "other");
	assert_label("x", "other");
	assert_int_equal(namespace_index(SPAN("mine.own")), COUNTERS_NAMESPACES - 1);
}

static void
test_labels_differ(void **state)
{
	(void)state;
	for (unsigned i = 0; i < COUNTERS_NAMESPACES; i++) {
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(namespace_name(i), namespace_name(j));
	}
}

static void
test_what_clients_may_publish(void **state)
{
	static const char *const open[] = { "agent.delta", "agent", "channel.connected",
		"session.message", "mine", "mine.own.event", "gatewayx.gap", "sessions.message" };

	(void)state;
	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
		assert_true(namespace_is_open(span_cstr(open[i])));
}

static void
test_what_is_the_gateways_own(void **state)
{
	static const char *const closed[] = { "gateway.gap", "gateway", "config.reloaded",
		"cron.added", "skill.added", "hook.deploy", "session.created", "session",
		"session.messages", "session.message.more", "session.Message" };

	(void)state;
	for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++)
		assert_false(namespace_is_open(span_cstr(closed[i])));
}

static void
test_each_outcome_has_a_label(void **state)
{
	(void)state;
	for (unsigned i = 0; i < OUTCOME_COUNT; i++) {
		assert_non_null(outcome_name((enum outcome)i));
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(
			    outcome_name((enum outcome)i), outcome_name((enum outcome)j));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_first_part_is_the_label),
		cmocka_unit_test(test_all_other_names_share_one_label),
		cmocka_unit_test(test_labels_differ),
		cmocka_unit_test(test_what_clients_may_publish),
		cmocka_unit_test(test_what_is_the_gateways_own),
		cmocka_unit_test(test_each_outcome_has_a_label),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
