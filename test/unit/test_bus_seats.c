/*
 * Seats: a provider has never more in flight than it takes, whoever asks; those that become free go to whom
 * waits, in turn; and what the dead had is free again.
 */
#include "support_bus.h"

#include <errno.h>

#include "bus/layout.h"
#include "bus/providers.h"
#include "bus/seats.h"

enum { METHOD = 5 };

static struct providers *
table(void **state)
{
	const struct bus *bus = *state;

	return segment_providers(bus->segment);
}

static struct seats_place
provider(struct providers *p, uint32_t conn_id, uint32_t concurrency)
{
	const struct span method = SPAN_INIT("m");
	struct provider_offer offer = { .conn_id = conn_id,
		.concurrency = concurrency,
		.methods = &method,
		.methods_count = 1 };
	unsigned row;

	assert_int_equal(providers_register(p, &offer, &row), 0);
	return (struct seats_place){ .conn_id = conn_id, .row = (uint16_t)row };
}

static enum seats_verdict
take(struct providers *p, unsigned slot, const struct seats_place *places, unsigned count,
    unsigned *ret_which)
{
	struct seats_wanted wanted = {
		.slot = slot, .method = METHOD, .places = places, .count = count
	};

	return seats_take(p, &wanted, ret_which);
}

static void
stop_waiting(struct providers *p, unsigned slot, const struct seats_place *place)
{
	struct seats_wanted wanted = {
		.slot = slot, .method = METHOD, .places = place, .count = 1
	};

	seats_stop_waiting(p, &wanted);
}

/* Gives back; to whom the seat was granted. */
static unsigned
release(struct providers *p, unsigned slot, const struct seats_place *place, bool is_granted)
{
	unsigned to = 0;

	assert_int_equal(seats_release(p, slot, place, is_granted, &to), 0);
	return to;
}

static void
the_fewest_in_flight_is_chosen(void **state)
{
	struct providers *p = table(state);
	struct seats_place places[] = { provider(p, 1, 2), provider(p, 2, 2), provider(p, 3, 2) };
	unsigned counts[3] = { 0 }, which;

	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(take(p, i % BUS_WORKERS, places, 3, &which), SEATS_TAKEN);
		assert_true(++counts[which] <= i / 3 + 1);
	}
	assert_int_equal(take(p, 0, places, 3, &which), SEATS_WAITS);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(seats_in_flight(p, places[i].row), 2);
}

static void
a_free_seat_is_granted_in_turn(void **state)
{
	struct providers *p = table(state);
	struct seats_place place = provider(p, 1, 1);
	unsigned which, order[4];

	assert_int_equal(take(p, 0, &place, 1, &which), SEATS_TAKEN);
	/* Three of worker 0, one each of the others. */
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(take(p, 0, &place, 1, &which), SEATS_WAITS);
	assert_int_equal(take(p, 1, &place, 1, &which), SEATS_WAITS);
	assert_int_equal(take(p, 2, &place, 1, &which), SEATS_WAITS);
	assert_int_equal(seats_waiting(p, METHOD), 5);
	(void)providers_news(p, 1);
	order[0] = release(p, 0, &place, false);
	assert_true(providers_has_news(p, order[0]));
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(seats_granted(p, order[i], place.row), 1);
		assert_int_equal(seats_in_flight(p, place.row), 1);
		assert_int_equal(seats_use(p, order[i], &place), 0);
		assert_int_equal(seats_use(p, order[i], &place), -ENOENT);
		stop_waiting(p, order[i], &place);
		order[i + 1] = release(p, order[i], &place, false);
	}
	assert_true(order[0] == 1 && order[1] == 2 && order[2] == 0 && order[3] == 0);
}

static void
a_grant_that_is_not_used_goes_on(void **state)
{
	struct providers *p = table(state);
	struct seats_place place = provider(p, 1, 1);
	unsigned which;

	assert_int_equal(take(p, 0, &place, 1, &which), SEATS_TAKEN);
	assert_int_equal(take(p, 1, &place, 1, &which), SEATS_WAITS);
	assert_int_equal(take(p, 2, &place, 1, &which), SEATS_WAITS);
	assert_int_equal(release(p, 0, &place, false), 1);
	stop_waiting(p, 1, &place);
	assert_int_equal(release(p, 1, &place, true), 2);
	stop_waiting(p, 2, &place);
	assert_int_equal(release(p, 2, &place, true), SEATS_NO_SLOT);
	assert_int_equal(seats_in_flight(p, place.row), 0);
	assert_int_equal(seats_granted(p, 1, place.row) + seats_granted(p, 2, place.row), 0);
}

static void
the_line_is_bounded(void **state)
{
	struct providers *p = table(state);
	struct seats_place place = provider(p, 1, 1);
	struct seats_wanted forced = {
		.slot = 1, .method = METHOD, .places = &place, .count = 1, .is_forced = true
	};
	unsigned which;

	assert_int_equal(take(p, 0, &place, 1, &which), SEATS_TAKEN);
	for (unsigned i = 0; i < SEATS_LINE_MAX; i++)
		assert_int_equal(take(p, i % BUS_WORKERS, &place, 1, &which), SEATS_WAITS);
	assert_int_equal(take(p, 0, &place, 1, &which), SEATS_FULL);
	/* One that has waited already does not lose its place. */
	assert_int_equal(seats_take(p, &forced, &which), SEATS_WAITS);
	stop_waiting(p, 1, &place);
	stop_waiting(p, 1, &place);
	assert_int_equal(take(p, 0, &place, 1, &which), SEATS_WAITS);
}

static void
seats_of_the_dead_are_free(void **state)
{
	const struct bus *bus = *state;
	struct providers *p = table(state);
	struct seats_place place = provider(p, 1, 2);
	unsigned which;

	assert_int_equal(take(p, 1, &place, 1, &which), SEATS_TAKEN);
	assert_int_equal(take(p, 1, &place, 1, &which), SEATS_TAKEN);
	assert_int_equal(take(p, 1, &place, 1, &which), SEATS_WAITS);
	assert_int_equal(take(p, 2, &place, 1, &which), SEATS_WAITS);
	segment_clear_slot(bus->segment, 1);
	assert_int_equal(seats_in_flight(p, place.row), 0);
	assert_int_equal(seats_waiting(p, METHOD), 1);
	assert_true(providers_has_news(p, 2));
	assert_int_equal(take(p, 0, &place, 1, &which), SEATS_TAKEN);
}

static void
a_provider_that_has_gone_has_no_seats(void **state)
{
	struct providers *p = table(state);
	struct seats_place gone = provider(p, 1, 1), next;
	unsigned which;

	assert_int_equal(take(p, 0, &gone, 1, &which), SEATS_TAKEN);
	assert_int_equal(providers_leave(p, gone.row, 1), 0);
	assert_int_equal(take(p, 0, &gone, 1, &which), SEATS_STALE);
	assert_int_equal(take(p, 0, &gone, 0, &which), SEATS_STALE);
	/* Another one in its line has all its seats, and what is given back is none of them. */
	next = provider(p, 2, 1);
	assert_int_equal(next.row, gone.row);
	assert_int_equal(take(p, 0, &next, 1, &which), SEATS_TAKEN);
	assert_int_equal(release(p, 0, &gone, false), SEATS_NO_SLOT);
	assert_int_equal(seats_in_flight(p, next.row), 1);
}

static void
a_provider_that_takes_no_more_for_now(void **state)
{
	struct providers *p = table(state);
	struct seats_place place = provider(p, 1, 4);
	unsigned which;

	seats_set_full(p, &place, true);
	assert_int_equal(take(p, 0, &place, 1, &which), SEATS_WAITS);
	assert_int_equal(take(p, 2, &place, 1, &which), SEATS_WAITS);
	seats_set_full(p, &place, false);
	assert_int_equal(seats_granted(p, 0, place.row), 1);
	assert_int_equal(seats_granted(p, 2, place.row), 1);
	assert_int_equal(seats_in_flight(p, place.row), 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    the_fewest_in_flight_is_chosen, bus_setup, bus_teardown),
		cmocka_unit_test_setup_teardown(
		    a_free_seat_is_granted_in_turn, bus_setup, bus_teardown),
		cmocka_unit_test_setup_teardown(
		    a_grant_that_is_not_used_goes_on, bus_setup, bus_teardown),
		cmocka_unit_test_setup_teardown(the_line_is_bounded, bus_setup, bus_teardown),
		cmocka_unit_test_setup_teardown(
		    seats_of_the_dead_are_free, bus_setup, bus_teardown),
		cmocka_unit_test_setup_teardown(
		    a_provider_that_has_gone_has_no_seats, bus_setup, bus_teardown),
		cmocka_unit_test_setup_teardown(
		    a_provider_that_takes_no_more_for_now, bus_setup, bus_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
