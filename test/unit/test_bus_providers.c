/*
 * The directory of providers: what is registered is read by all, what changed is told once, and what the dead
 * had is gone.
 */
#include "support_bus.h"

#include <errno.h>

#include "bus/layout.h"
#include "bus/providers.h"
#include "bus/providers_view.h"
#include "bus/seats.h"

static struct providers_copy copy;

static struct providers *
table(void **state)
{
	const struct bus *bus = *state;

	return segment_providers(bus->segment);
}

/* Registers one or two methods ("" for none) and a channel. */
static int
offer(struct providers *p, uint32_t conn_id, unsigned slot, const char *first, const char *second,
    const char *channel, unsigned *ret_row)
{
	struct span methods[2] = { span_cstr(first), span_cstr(second) }, it = span_cstr(channel);
	struct provider_offer what = { .conn_id = conn_id,
		.slot = slot,
		.concurrency = 2,
		.now_real_ms = 1000 + conn_id,
		.methods = methods,
		.methods_count = (size_t)(methods[0].n > 0) + (methods[1].n > 0),
		.channels = &it,
		.channels_count = it.n > 0,
		.description = SPAN("what it is") };

	return providers_register(p, &what, ret_row);
}

static unsigned
register_one(struct providers *p, uint32_t conn_id, unsigned slot, const char *first,
    const char *second, const char *channel)
{
	unsigned row = UINT32_MAX;

	assert_int_equal(offer(p, conn_id, slot, first, second, channel, &row), 0);
	return row;
}

static void
read_all(struct providers *p)
{
	assert_int_equal(providers_read(p, &copy), 0);
	assert_int_equal(copy.generation, providers_generation(p));
}

/* The change of a method in the copy; -1: it is not there. */
static int
change_of(const char *name)
{
	for (unsigned i = 0; i < copy.method_count; i++) {
		if (span_is(span_make(copy.methods[i].name, copy.methods[i].name_len), name))
			return copy.methods[i].change;
	}
	return -1;
}

static int
channel_change_of(const char *name)
{
	for (unsigned i = 0; i < copy.channel_count; i++) {
		if (span_is(span_make(copy.channels[i].name, copy.channels[i].name_len), name))
			return copy.channels[i].change;
	}
	return -1;
}

static void
what_is_registered_is_read(void **state)
{
	struct providers *p = table(state);
	unsigned row;

	read_all(p);
	assert_int_equal(copy.provider_count, 0);
	row = register_one(p, 7, 1, "agent.run", "b", "telegram");
	read_all(p);
	assert_int_equal(copy.provider_count, 1);
	assert_int_equal(providers_count(p), 1);
	assert_int_equal(copy.providers[0].conn_id, 7);
	assert_int_equal(copy.providers[0].row, row);
	assert_int_equal(copy.providers[0].slot, 1);
	assert_int_equal(copy.providers[0].concurrency, 2);
	assert_int_equal(copy.providers[0].registered_ms, 1007);
	assert_int_equal(copy.providers[0].method_count, 2);
	assert_true(
	    span_is(span_make(copy.providers[0].description, copy.providers[0].description_len),
		"what it is"));
	assert_int_equal(change_of("agent.run"), PROVIDERS_ADDED);
	assert_int_equal(channel_change_of("telegram"), PROVIDERS_ADDED);
	read_all(p);
	assert_int_equal(change_of("agent.run"), PROVIDERS_SAME);
	assert_int_equal(channel_change_of("telegram"), PROVIDERS_SAME);
}

static void
a_method_goes_with_its_last_provider(void **state)
{
	struct providers *p = table(state);
	unsigned first = register_one(p, 7, 0, "agent.run", "", "");
	unsigned second = register_one(p, 8, 1, "agent.run", "", "");

	read_all(p);
	assert_int_equal(providers_leave(p, first, 7), 0);
	assert_int_equal(providers_leave(p, first, 7), 0);
	read_all(p);
	assert_int_equal(change_of("agent.run"), PROVIDERS_SAME);
	assert_int_equal(copy.provider_count, 1);
	assert_int_equal(providers_leave(p, second, 8), 0);
	read_all(p);
	assert_int_equal(change_of("agent.run"), PROVIDERS_REMOVED);
	read_all(p);
	assert_int_equal(change_of("agent.run"), -1);
	/* What came and went unseen is not told at all. */
	(void)register_one(p, 9, 0, "brief", "", "irc");
	assert_int_equal(providers_leave(p, first, 9), 0);
	read_all(p);
	assert_int_equal(change_of("brief"), -1);
	assert_int_equal(channel_change_of("irc"), -1);
}

static void
registering_again_changes_what_is_offered(void **state)
{
	struct providers *p = table(state);
	unsigned row = register_one(p, 7, 0, "a", "b", "telegram");

	read_all(p);
	assert_int_equal(register_one(p, 7, 0, "b", "c", "irc"), row);
	read_all(p);
	assert_int_equal(change_of("a"), PROVIDERS_REMOVED);
	assert_int_equal(change_of("b"), PROVIDERS_SAME);
	assert_int_equal(change_of("c"), PROVIDERS_ADDED);
	assert_int_equal(channel_change_of("telegram"), PROVIDERS_REMOVED);
	assert_int_equal(channel_change_of("irc"), PROVIDERS_ADDED);
	assert_int_equal(copy.providers[0].registered_ms, 1007);
}

static void
the_dead_offer_nothing(void **state)
{
	const struct bus *bus = *state;
	struct providers *p = table(state);

	(void)register_one(p, 7, 0, "a", "", "telegram");
	(void)register_one(p, 8, 1, "a", "b", "");
	read_all(p);
	(void)providers_news(p, 2);
	segment_clear_slot(bus->segment, 0);
	assert_true(providers_has_news(p, 2));
	read_all(p);
	assert_int_equal(copy.provider_count, 1);
	assert_int_equal(copy.providers[0].conn_id, 8);
	assert_int_equal(change_of("a"), PROVIDERS_SAME);
	assert_int_equal(channel_change_of("telegram"), PROVIDERS_REMOVED);
	segment_clear_slot(bus->segment, 1);
	read_all(p);
	assert_int_equal(change_of("a"), PROVIDERS_REMOVED);
	assert_int_equal(change_of("b"), PROVIDERS_REMOVED);
	assert_int_equal(providers_count(p), 0);
}

static void
news_is_told_to_all(void **state)
{
	struct providers *p = table(state);
	uint64_t before = providers_news(p, 2);

	assert_false(providers_has_news(p, 2));
	(void)register_one(p, 7, 0, "a", "", "");
	assert_true(providers_has_news(p, 2));
	assert_true(providers_news(p, 2) != before);
	assert_false(providers_has_news(p, 2));
	providers_tell_all(p);
	assert_true(providers_has_news(p, 2));
}

static void
tables_that_are_full(void **state)
{
	struct providers *p = table(state);
	char name[32], other[32];
	unsigned row;
	uint32_t id = 0;

	for (unsigned i = 0; i < PROVIDERS_METHODS / 2; i++) {
		snprintf(name, sizeof(name), "m%u", i);
		snprintf(other, sizeof(other), "n%u", i);
		(void)register_one(p, ++id, 0, name, other, "");
	}
	/* As many providers, and methods, as there can be. */
	assert_int_equal(offer(p, ++id, 0, "m0", "", "", &row), -ENOSPC);
	assert_int_equal(offer(p, 1, 0, "one.more", "", "", &row), -ENOSPC);
	read_all(p);
	assert_int_equal(copy.provider_count, PROVIDERS_MAX);
	assert_int_equal(copy.method_count, PROVIDERS_METHODS);
	/* The refused change left what was. */
	assert_int_equal(change_of("m0"), PROVIDERS_ADDED);
	assert_int_equal(providers_leave(p, 0, 1), 0);
	read_all(p);
	(void)register_one(p, id, 0, "one.more", "", "");
}

static void
channels_that_are_full(void **state)
{
	struct providers *p = table(state);
	char name[32];
	unsigned row;

	for (unsigned i = 0; i < PROVIDERS_CHANNELS; i++) {
		snprintf(name, sizeof(name), "c%u", i);
		(void)register_one(p, i + 1, 0, "a", "", name);
	}
	assert_int_equal(offer(p, 999, 0, "a", "", "more", &row), -ENOSPC);
	read_all(p);
	assert_int_equal(copy.channel_count, PROVIDERS_CHANNELS);
}

static void
bad_offers(void **state)
{
	struct providers *p = table(state);
	char long_name[PROVIDER_NAME_BYTES + 2];
	unsigned row;

	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_int_equal(offer(p, 7, 0, long_name, "", "", &row), -EINVAL);
	assert_int_equal(offer(p, 7, 0, "a", "", long_name, &row), -EINVAL);
	assert_int_equal(offer(p, 0, 0, "a", "", "", &row), -EINVAL);
	assert_int_equal(offer(p, 7, 999, "a", "", "", &row), -EINVAL);
	assert_int_equal(providers_leave(p, PROVIDERS_MAX, 7), -EINVAL);
	assert_int_equal(providers_leave(p, 0, 0), -EINVAL);
	long_name[PROVIDER_NAME_BYTES] = '\0';
	(void)register_one(p, 7, 0, long_name, "", "");
	read_all(p);
	assert_int_equal(change_of(long_name), PROVIDERS_ADDED);
}

/* What another process of ours could have left there, gone wild. */
static void
numbers_out_of_bounds_are_not_followed(void **state)
{
	struct providers *p = table(state);
	struct providers_shared *shared = p->parts.shared;
	unsigned row = register_one(p, 7, 0, "a", "b", "telegram");

	shared->lines[row].method_count = UINT32_MAX;
	memset(shared->lines[row].methods, 0xff, sizeof(shared->lines[row].methods));
	shared->lines[row].description_len = UINT32_MAX;
	shared->methods[3].name_len = UINT32_MAX;
	shared->channels[0].name_len = UINT32_MAX;
	shared->channels[0].row = UINT32_MAX;
	atomic_store(&shared->rows_used, UINT32_MAX);
	atomic_store(&shared->slots_used, UINT32_MAX);
	read_all(p);
	assert_int_equal(copy.providers[0].method_count, 0);
	assert_true(copy.providers[0].description_len < PROVIDER_DESCRIPTION_BYTES);
	assert_int_equal(seats_in_flight(p, PROVIDERS_MAX), 0);
	shared->lines[row].slot = 999;
	read_all(p);
	assert_int_equal(copy.provider_count, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    what_is_registered_is_read, bus_setup, bus_teardown),
		cmocka_unit_test_setup_teardown(
		    a_method_goes_with_its_last_provider, bus_setup, bus_teardown),
		cmocka_unit_test_setup_teardown(
		    registering_again_changes_what_is_offered, bus_setup, bus_teardown),
		cmocka_unit_test_setup_teardown(the_dead_offer_nothing, bus_setup, bus_teardown),
		cmocka_unit_test_setup_teardown(news_is_told_to_all, bus_setup, bus_teardown),
		cmocka_unit_test_setup_teardown(tables_that_are_full, bus_setup, bus_teardown),
		cmocka_unit_test_setup_teardown(channels_that_are_full, bus_setup, bus_teardown),
		cmocka_unit_test_setup_teardown(bad_offers, bus_setup, bus_teardown),
		cmocka_unit_test_setup_teardown(
		    numbers_out_of_bounds_are_not_followed, bus_setup, bus_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
