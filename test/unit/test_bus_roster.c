/*
 * The roster and the counters: lines of one writer.
 */
#include "support_bus.h"

#include "bus/counters.h"
#include "bus/layout.h"
#include "bus/roster.h"
#include "support_children.h"

static void
test_life_of_a_slot(void **state)
{
	struct bus *bus = *state;
	struct roster *roster = segment_roster(bus->segment);
	struct roster_entry entry;
	struct roster_gateway gateway;

	assert_int_equal(roster_slots(roster), BUS_WORKERS + 2);
	roster_get(roster, 1, &entry);
	assert_int_equal(entry.state, ROSTER_EMPTY);
	assert_int_equal(entry.generation, 0);

	assert_int_equal(roster_start(roster, 1, 4711, 1000, 20), 1);
	roster_set_state(roster, 1, ROSTER_SERVING);
	roster_beat(roster, 1, 25);
	roster_set_usage(roster, 1, &(struct roster_usage){ 123456, 12345, 17 });
	roster_get(roster, 1, &entry);
	assert_int_equal(entry.pid, 4711);
	assert_int_equal(entry.state, ROSTER_SERVING);
	assert_int_equal(entry.started_real_ms, 1000);
	assert_int_equal(entry.heartbeat_mono_ms, 25);
	assert_int_equal(entry.rss_bytes, 123456);
	assert_int_equal(entry.own_bytes, 12345);
	assert_int_equal(entry.open_fds, 17);

	roster_end(roster, 1, true);
	roster_get(roster, 1, &entry);
	assert_int_equal(entry.state, ROSTER_DEAD);
	assert_int_equal(entry.pid, 0);
	assert_int_equal(entry.restarts, 1);
	assert_int_equal(entry.rss_bytes, 0);
	assert_int_equal(entry.own_bytes, 0);
	assert_int_equal(roster_start(roster, 1, 0, 2000, 30), 2);
	roster_set_pid(roster, 1, 4712);
	assert_int_equal(roster_generation(roster, 1), 2);
	roster_end(roster, 1, false);
	roster_get(roster, 1, &entry);
	assert_int_equal(entry.state, ROSTER_EMPTY);
	roster_get_gateway(roster, &gateway);
	assert_int_equal(gateway.restarts, 1);
}

/* 0 is no process: it is left out when generations have gone round. */
static void
test_generations_go_round(void **state)
{
	struct roster_shared *shared = support_share(sizeof(*shared) + sizeof(struct roster_line));
	struct roster *roster = roster_new(shared, 1);

	(void)state;
	atomic_store(&shared->lines[0].generation, UINT32_MAX - 1);
	assert_true(roster_start(roster, 0, 1, 1, 1) == UINT32_MAX);
	assert_true(roster_start(roster, 0, 1, 1, 1) == 1);
	assert_true(roster_generation(roster, 0) == 1);
	roster_free(roster);
}

static void
test_gateway_as_a_whole(void **state)
{
	struct bus *bus = *state;
	struct roster *roster = segment_roster(bus->segment);
	struct roster_gateway gateway;

	roster_set_gateway(roster, 99, 5000, 3);
	roster_get_gateway(roster, &gateway);
	assert_int_equal(gateway.supervisor_pid, 99);
	assert_int_equal(gateway.started_real_ms, 5000);
	assert_int_equal(gateway.workers, 3);
	assert_false(gateway.stopping);
	roster_set_stopping(roster);
	roster_get_gateway(roster, &gateway);
	assert_true(gateway.stopping);
}

static void
test_slots_that_are_none(void **state)
{
	struct bus *bus = *state;
	struct roster *roster = segment_roster(bus->segment);
	unsigned none = roster_slots(roster);
	struct roster_entry entry = { .pid = 1 };

	assert_int_equal(roster_start(roster, none, 1, 1, 1), 0);
	roster_set_pid(roster, none, 1);
	roster_set_state(roster, none, ROSTER_SERVING);
	roster_set_usage(roster, none, &(struct roster_usage){ 1, 1, 1 });
	roster_beat(roster, none, 1);
	roster_end(roster, none, true);
	roster_get(roster, none, &entry);
	assert_int_equal(entry.pid, 0);
	assert_int_equal(roster_generation(roster, none), 0);
}

static void
test_names_of_states(void **state)
{
	(void)state;
	assert_string_equal(roster_state_name(ROSTER_EMPTY), "empty");
	assert_string_equal(roster_state_name(ROSTER_STARTING), "starting");
	assert_string_equal(roster_state_name(ROSTER_SERVING), "serving");
	assert_string_equal(roster_state_name(ROSTER_DRAINING), "draining");
	assert_string_equal(roster_state_name(ROSTER_DEAD), "dead");
	assert_string_equal(roster_state_name((enum roster_state)77), "unknown");
}

static void
test_counters_outlive_their_process_and_gauges_do_not(void **state)
{
	struct bus *bus = *state;
	struct counters *counters = segment_counters(bus->segment, 2);

	assert_null(segment_counters(bus->segment, segment_slots(bus->segment)));
	counters_add(&counters->connections, 5);
	counters_subtract(&counters->connections, 2);
	counters_set(&counters->websockets, 2);
	counters_add(&counters->admin_subscribers, 1);
	counters_add(&counters->accepted, 5);
	counters_add(&counters->requests[63][7], 9);
	assert_int_equal(counters_get(&counters->connections), 3);
	segment_clear_slot(bus->segment, 2);
	assert_int_equal(counters_get(&counters->connections), 0);
	assert_int_equal(counters_get(&counters->websockets), 0);
	assert_int_equal(counters_get(&counters->admin_subscribers), 0);
	assert_int_equal(counters_get(&counters->accepted), 5);
	assert_int_equal(counters_get(&counters->requests[63][7]), 9);
}

static void
test_histogram(void **state)
{
	struct counters_histogram histogram = { 0 };

	(void)state;
	counters_observe(&histogram, 0);
	counters_observe(&histogram, counters_bounds_ns[0]);
	counters_observe(&histogram, counters_bounds_ns[0] + 1);
	counters_observe(&histogram, UINT64_C(3600000000000));
	assert_int_equal(counters_get(&histogram.buckets[0]), 2);
	assert_int_equal(counters_get(&histogram.buckets[1]), 1);
	assert_int_equal(counters_get(&histogram.buckets[COUNTERS_BUCKETS - 1]), 1);
	assert_int_equal(counters_get(&histogram.count), 4);
	assert_true(counters_get(&histogram.sum_ns) ==
		    2 * counters_bounds_ns[0] + 1 + UINT64_C(3600000000000));
	for (unsigned i = 1; i < COUNTERS_BUCKETS; i++)
		assert_true(counters_bounds_ns[i] > counters_bounds_ns[i - 1]);
}

static void
test_buckets_of_close_codes(void **state)
{
	(void)state;
	assert_int_equal(counters_close_bucket(1000), 0);
	assert_int_equal(counters_close_bucket(1013), 13);
	assert_int_equal(counters_close_bucket(1014), 14);
	assert_int_equal(counters_close_bucket(4999), 14);
	assert_int_equal(counters_close_bucket(0), 15);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		bus_test(test_life_of_a_slot),
		cmocka_unit_test(test_generations_go_round),
		bus_test(test_gateway_as_a_whole),
		bus_test(test_slots_that_are_none),
		cmocka_unit_test(test_names_of_states),
		bus_test(test_counters_outlive_their_process_and_gauges_do_not),
		cmocka_unit_test(test_histogram),
		cmocka_unit_test(test_buckets_of_close_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
