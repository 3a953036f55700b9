/*
 * Batches: what is read, what a filter takes of it, and where a byte of the run lies.
 */
#include "support_bus.h"

#include "base/macros.h"
#include "gateway/batch.h"
#include "support_alloc.h"

static void
publish(struct ring *ring, const char *name, const char *frame)
{
	const struct ring_draft draft = { .name = span_cstr(name), .frame = span_cstr(frame) };
	struct ring_receipt receipt;

	assert_int_equal(ring_publish(ring, 0, &draft, &receipt), 0);
}

static struct filter *
new_filter(const char *pattern)
{
	const struct span patterns[] = { span_cstr(pattern) };

	return filter_new(patterns, 1, NULL, 0);
}

static void
assert_run(struct batch *batch, const char *pattern, const char *should)
{
	struct filter *filter = new_filter(pattern);
	struct span run;

	assert_true(batch_match(batch, filter, &run));
	assert_int_equal(run.n, strlen(should));
	assert_true(span_is(run, should));
	filter_free(filter);
}

static void
assert_place(const struct batch *batch, size_t at, unsigned index, size_t offset)
{
	struct batch_place place = batch_locate(batch, at);

	assert_int_equal(place.index, index);
	assert_int_equal(place.offset, offset);
}

static void
publish_five(struct bus *bus)
{
	publish(bus->ring, "a.x", "one");
	publish(bus->ring, "b.x", "two!");
	publish(bus->ring, "a.y", "three");
	publish(bus->ring, "b.x", "4");
	publish(bus->ring, "a.z", "fifth");
}

static void
test_runs(void **state)
{
	struct bus *bus = *state;
	struct batch batch = { 0 };

	publish_five(bus);
	assert_int_equal(batch_read(&batch, bus->ring, 0, 5, 1000), RING_RECORD);
	assert_int_equal(batch.count, 5);
	assert_run(&batch, "*", "onetwo!three4fifth");
	assert_run(&batch, "a.*", "onethreefifth");
	assert_run(&batch, "b.x", "two!4");
	assert_run(&batch, "c.*", "");
	assert_run(&batch, "a.x", "one");
	assert_true(span_is(batch_name(&batch, 2), "a.y"));
	assert_int_equal(batch_key(&batch, 2).n, 0);
	assert_true(span_is(batch_frame(&batch, 4), "fifth"));
	batch_fini(&batch);
}

static void
test_places(void **state)
{
	struct bus *bus = *state;
	struct batch batch = { 0 };

	publish_five(bus);
	assert_int_equal(batch_read(&batch, bus->ring, 0, 5, 1000), RING_RECORD);
	assert_run(&batch, "*", "onetwo!three4fifth");
	assert_place(&batch, 0, 0, 0);
	assert_place(&batch, 2, 0, 2);
	assert_place(&batch, 3, 1, 0);
	assert_place(&batch, 12, 3, 0);
	assert_place(&batch, 17, 4, 4);
	assert_run(&batch, "b.x", "two!4");
	assert_place(&batch, 0, 1, 0);
	assert_place(&batch, 3, 1, 3);
	assert_place(&batch, 4, 3, 0);
	batch_fini(&batch);
}

static void
test_limits(void **state)
{
	struct bus *bus = *state;
	struct batch batch = { 0 };
	uint64_t oldest;

	publish_five(bus);
	assert_int_equal(batch_read(&batch, bus->ring, 0, 5, 1), RING_RECORD);
	assert_int_equal(batch.count, 1);
	assert_int_equal(batch_read(&batch, bus->ring, 1, 3, 1000), RING_RECORD);
	assert_int_equal(batch.count, 2);
	assert_int_equal(batch.records[0].seq, 2);
	assert_int_equal(batch_read(&batch, bus->ring, 4, 4, 1000), RING_EMPTY);
	assert_int_equal(batch.count, 0);
	assert_int_equal(batch_read(&batch, bus->ring, 5, UINT64_MAX, 1000), RING_EMPTY);
	bus_publish_many(bus->ring, 2 * BATCH_EVENTS, 40);
	oldest = ring_oldest(bus->ring);
	assert_int_equal(
	    batch_read(&batch, bus->ring, oldest - 1, UINT64_MAX, SIZE_MAX), RING_RECORD);
	assert_int_equal(batch.count, min_u64(BATCH_EVENTS, ring_head(bus->ring) - oldest + 1));
	bus_publish_many(bus->ring, 100, 10000);
	assert_int_equal(batch_read(&batch, bus->ring, 0, 5, 1000), RING_LAPPED);
	assert_int_equal(batch.count, 0);
	batch_rest(&batch, 0);
	assert_true(batch.frames.data == NULL && batch.labels.data == NULL);
	batch_fini(&batch);
}

static void
try_all(void *arg)
{
	struct bus *bus = arg;
	struct batch batch = { 0 };
	struct filter *filter = new_filter("b.x");
	struct span run;
	enum ring_verdict verdict = batch_read(&batch, bus->ring, 0, 5, 1000);

	/* What could be read before memory ran out is a batch; nothing at all is none. */
	if (verdict == RING_NOMEM)
		assert_int_equal(batch.count, 0);
	else
		assert_true(verdict == RING_RECORD && batch.count > 0);
	if (filter != NULL && batch.count == 5 && batch_match(&batch, filter, &run))
		assert_true(span_is(run, "two!4"));
	filter_free(filter);
	batch_fini(&batch);
}

static void
test_without_memory(void **state)
{
	struct bus *bus = *state;

	publish_five(bus);
	assert_true(support_alloc_try_each(try_all, bus) >= 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		bus_test(test_runs),
		bus_test(test_places),
		bus_test(test_limits),
		bus_test(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
