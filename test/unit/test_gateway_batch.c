/*
 * Batches: what is read, what a filter takes of it, and where a byte of the run lies.
 */
#include "support_bus.h"

#include "base/macros.h"
#include "gateway/batch.h"
#include "proto/deflate.h"
#include "proto/frame.h"
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

/* --- compressed --------------------------------------------------------------------------- */

enum { LONG = 2000, MIN_BYTES = 512 };

/* Publishes a whole frame whose message is n times the letter. */
static void
publish_letters(struct bus *bus, const char *name, char letter, size_t n)
{
	char text[LONG];
	struct buf frame = { 0 };
	struct ring_draft draft = { .name = span_cstr(name) };
	struct ring_receipt receipt;

	memset(text, letter, n);
	frame_append(&frame, WS_TEXT, span_make(text, n));
	draft.frame = buf_span(&frame);
	assert_int_equal(ring_publish(bus->ring, 0, &draft, &receipt), 0);
	buf_fini(&frame);
}

/* Two of five are long enough. */
static void
publish_letters_five(struct bus *bus)
{
	publish_letters(bus, "a.x", 'a', LONG);
	publish_letters(bus, "b.x", 'b', 100);
	publish_letters(bus, "a.y", 'c', MIN_BYTES - 1);
	publish_letters(bus, "b.x", 'd', MIN_BYTES);
	publish_letters(bus, "c.x", 'e', 5);
}

/* The frame inflated where it is compressed: `n` times the letter. */
static void
assert_says(struct deflate *codec, struct span frame, bool is_deflated, char letter, size_t n)
{
	struct span payload = span_skip(frame, frame_payload_offset(frame));
	struct buf out = { 0 };

	assert_int_equal(((uint8_t)frame.p[0] & FRAME_RSV1) != 0, is_deflated);
	if (is_deflated)
		assert_int_equal(deflate_inflate(codec, &out, payload, LONG), INFLATE_DONE);
	else
		buf_append_span(&out, payload);
	assert_int_equal(out.len, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(out.data[i], letter);
	buf_fini(&out);
}

/* Where each byte of the run lies agrees with the frames in it; returns how many frames there are. */
static unsigned
assert_places(const struct batch *batch, struct span run)
{
	unsigned frames = 0;
	size_t begin = 0;

	for (size_t at = 0; at < run.n; at++) {
		struct batch_place place = batch_locate(batch, at);

		if (place.offset == 0) {
			frames++;
			begin = at;
		}
		assert_true(batch->taken[place.index]);
		assert_int_equal(place.offset, at - begin);
		assert_memory_equal(place.frame.p + place.offset, run.p + at, 1);
		assert_int_equal(frame_total(place.frame), place.frame.n);
		assert_int_equal(
		    place.form == WIRE_DEFLATED, ((uint8_t)place.frame.p[0] & FRAME_RSV1) != 0);
	}
	return frames;
}

static struct span
match_deflated(struct batch *batch, const char *pattern, struct deflate *codec)
{
	struct filter *filter = new_filter(pattern);
	struct span run;

	assert_true(batch_match_deflated(batch, filter, codec, MIN_BYTES, &run));
	filter_free(filter);
	return run;
}

static void
test_compressed_runs(void **state)
{
	struct bus *bus = *state;
	struct deflate *codec = deflate_new();
	struct batch batch = { 0 };
	struct span run;

	publish_letters_five(bus);
	assert_int_equal(batch_read(&batch, bus->ring, 0, 5, 10000), RING_RECORD);
	run = match_deflated(&batch, "*", codec);
	assert_int_equal(assert_places(&batch, run), 5);
	assert_int_equal(batch.deflated_count, 2);
	assert_int_equal(batch.saved, batch.frames.len - run.n);
	assert_says(codec, batch_locate(&batch, 0).frame, true, 'a', LONG);
	run = match_deflated(&batch, "b.x", codec);
	assert_int_equal(assert_places(&batch, run), 2);
	assert_says(codec, batch_locate(&batch, 0).frame, false, 'b', 100);
	assert_says(codec, batch_locate(&batch, run.n - 1).frame, true, 'd', MIN_BYTES);
	/* None is compressed a second time. */
	assert_int_equal(batch.deflated_count, 2);
	batch_fini(&batch);
	deflate_free(codec);
}

/* What no compressed run takes is not compressed; one of short events alone is the plain run. */
static void
test_only_what_is_taken_is_compressed(void **state)
{
	struct bus *bus = *state;
	struct deflate *codec = deflate_new();
	struct batch batch = { 0 };
	struct span run;

	publish_letters_five(bus);
	assert_int_equal(batch_read(&batch, bus->ring, 0, 5, 10000), RING_RECORD);
	run = match_deflated(&batch, "a.y", codec);
	assert_says(codec, run, false, 'c', MIN_BYTES - 1);
	assert_int_equal(match_deflated(&batch, "nobody", codec).n, 0);
	assert_int_equal(batch.deflated_count, 0);
	run = match_deflated(&batch, "b.x", codec);
	assert_int_equal(batch.deflated_count, 1);
	/* The next batch begins anew. */
	assert_int_equal(batch_read(&batch, bus->ring, 0, 1, 10000), RING_RECORD);
	assert_int_equal(batch.deflated_count, 0);
	run = match_deflated(&batch, "*", codec);
	assert_says(codec, run, true, 'a', LONG);
	batch_fini(&batch);
	deflate_free(codec);
}

static void
test_forms_in_turn(void **state)
{
	struct bus *bus = *state;
	struct deflate *codec = deflate_new();
	struct batch batch = { 0 };
	struct filter *filter = new_filter("a.*");
	struct span run;

	publish_letters_five(bus);
	assert_int_equal(batch_read(&batch, bus->ring, 0, 5, 10000), RING_RECORD);
	run = match_deflated(&batch, "*", codec);
	assert_true(batch.saved > 0);
	assert_true(batch_match(&batch, filter, &run));
	assert_int_equal(batch.saved, 0);
	assert_int_equal(assert_places(&batch, run), 2);
	assert_says(codec, batch_locate(&batch, 0).frame, false, 'a', LONG);
	filter_free(filter);
	batch_fini(&batch);
	deflate_free(codec);
}

static void
try_deflated(void *arg)
{
	struct bus *bus = arg;
	struct batch batch = { 0 };
	struct filter *filter = new_filter("*");
	struct deflate *codec = deflate_new();
	struct span run;

	/* Without memory for a compressed frame the plain one is sent. */
	if (filter != NULL && codec != NULL &&
	    batch_read(&batch, bus->ring, 0, 5, 10000) == RING_RECORD &&
	    batch_match_deflated(&batch, filter, codec, MIN_BYTES, &run))
		assert_int_equal(assert_places(&batch, run), batch.count);
	deflate_free(codec);
	filter_free(filter);
	batch_fini(&batch);
}

static void
test_compressed_without_memory(void **state)
{
	struct bus *bus = *state;

	publish_letters_five(bus);
	assert_true(support_alloc_try_each(try_deflated, bus) >= 10);
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

/* --- Server-Sent Events --------------------------------------------------------------------- */

static void
publish_text(struct bus *bus, const char *name, const char *text)
{
	struct buf frame = { 0 };
	struct ring_draft draft = { .name = span_cstr(name) };
	struct ring_receipt receipt;

	frame_append(&frame, WS_TEXT, span_cstr(text));
	draft.frame = buf_span(&frame);
	assert_int_equal(ring_publish(bus->ring, 0, &draft, &receipt), 0);
	buf_fini(&frame);
}

static void
test_server_sent_events(void **state)
{
	struct bus *bus = *state;
	struct batch batch = { 0 };
	struct filter *some = new_filter("a.*"), *all = new_filter("*"), *none = new_filter("c.*");
	struct span run;
	size_t made;

	publish_text(bus, "a.x", "1");
	publish_text(bus, "b.x", "22");
	publish_text(bus, "a.y", "3\n3");
	assert_int_equal(batch_read(&batch, bus->ring, 0, 3, 1000), RING_RECORD);
	assert_true(batch_match_sse(&batch, some, SPAN("e"), &run));
	assert_true(span_is(run, "id: e:1\ndata: 1\n\nid: e:3\ndata: 3\ndata: 3\n\n"));
	assert_place(&batch, 16, 0, 16);
	assert_place(&batch, 17, 2, 0);
	assert_int_equal(batch_locate(&batch, 17).form, WIRE_SSE);
	assert_true(span_is(batch_locate(&batch, 0).frame, "id: e:1\ndata: 1\n\n"));
	/* An event is put into the form once, whoever else takes it. */
	assert_true(batch_match_sse(&batch, all, SPAN("e"), &run));
	made = batch.sse.bytes.len;
	assert_int_equal(run.n, made);
	assert_true(batch_match_sse(&batch, some, SPAN("e"), &run));
	assert_true(batch_match_sse(&batch, none, SPAN("e"), &run));
	assert_int_equal(run.n, 0);
	assert_int_equal(batch.sse.bytes.len, made);
	/* Beside the others of the batch. */
	assert_true(batch_match(&batch, all, &run));
	assert_int_equal(batch_locate(&batch, 0).form, WIRE_PLAIN);
	assert_int_equal(run.n, 3 * 2 + 1 + 2 + 3);
	filter_free(some);
	filter_free(all);
	filter_free(none);
	batch_fini(&batch);
}

static void
try_sse(void *arg)
{
	struct bus *bus = arg;
	struct batch batch = { 0 };
	struct filter *filter = new_filter("*");
	struct span run;

	if (filter != NULL && batch_read(&batch, bus->ring, 0, 2, 1000) == RING_RECORD &&
	    batch.count == 2 && batch_match_sse(&batch, filter, SPAN("e"), &run))
		assert_true(span_is(run, "id: e:1\ndata: 1\n\nid: e:2\ndata: 22\n\n"));
	filter_free(filter);
	batch_fini(&batch);
}

static void
test_server_sent_events_without_memory(void **state)
{
	struct bus *bus = *state;

	publish_text(bus, "a.x", "1");
	publish_text(bus, "b.x", "22");
	assert_true(support_alloc_try_each(try_sse, bus) >= 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		bus_test(test_runs),
		bus_test(test_places),
		bus_test(test_limits),
		bus_test(test_compressed_runs),
		bus_test(test_only_what_is_taken_is_compressed),
		bus_test(test_forms_in_turn),
		bus_test(test_compressed_without_memory),
		bus_test(test_without_memory),
		bus_test(test_server_sent_events),
		bus_test(test_server_sent_events_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
