/*
 * The frames that connections are stuck in: made from the ring again, and copied before that goes on.
 */
#include "support_bus.h"

#include <errno.h>

#include "gateway/context.h"
#include "gateway/stuck.h"
#include "proto/deflate.h"
#include "proto/frame.h"
#include "support_alloc.h"

enum { PLENTY = 1 << 20 };

static struct gateway gateway;

static struct stuck_frames *
begin(void **state)
{
	struct bus *bus = *state;
	struct stuck_frames *frames;

	gateway.ring = bus->ring;
	frames = stuck_frames_new(&gateway);
	assert_non_null(frames);
	return frames;
}

static void
assert_loads(struct stuck_frames *frames, const struct stuck_frame *frame, struct span text)
{
	struct span bytes;

	assert_int_equal(stuck_frame_load(frames, frame, &bytes), 0);
	assert_true(span_is_equal(bytes, text));
}

/* What was loaded is let go of. */
static void
forget(struct stuck_frames *frames)
{
	stuck_frames_tick(frames);
	stuck_frames_tick(frames);
}

/* Publishes until event `seq` cannot be read any more. */
static void
overtake(uint64_t seq)
{
	while (ring_oldest(gateway.ring) <= seq)
		bus_publish_many(gateway.ring, 1, RING_BYTES_MIN / 8);
}

static void
test_the_ring_has_it(void **state)
{
	struct stuck_frames *frames = begin(state);
	uint64_t one = bus_publish(gateway.ring, SPAN("one"));
	uint64_t two = bus_publish(gateway.ring, SPAN("two!"));
	struct stuck_frame *a = stuck_frame_ref(frames, one, false, SPAN("one"));
	struct stuck_frame *b = stuck_frame_ref(frames, two, false, SPAN("two!"));
	struct span bytes;

	assert_ptr_equal(stuck_frame_ref(frames, one, false, SPAN("one")), a);
	assert_loads(frames, a, SPAN("one"));
	assert_loads(frames, b, SPAN("two!"));
	assert_loads(frames, a, SPAN("one"));
	assert_int_equal(stuck_frames_bytes(frames), 0);
	forget(frames);
	overtake(two);
	assert_int_equal(stuck_frame_load(frames, a, &bytes), -ENODATA);
	assert_int_equal(stuck_frame_keep(frames, b, PLENTY), -ENODATA);
	stuck_frame_unref(frames, a);
	stuck_frame_unref(frames, a);
	stuck_frame_unref(frames, b);
	stuck_frames_free(frames);
}

static void
test_a_copy_outlives_the_ring(void **state)
{
	struct stuck_frames *frames = begin(state);
	uint64_t one = bus_publish(gateway.ring, SPAN("one"));
	uint64_t two = bus_publish(gateway.ring, SPAN("two!"));
	struct stuck_frame *a = stuck_frame_ref(frames, one, false, SPAN("one"));
	struct stuck_frame *b = stuck_frame_ref(frames, two, false, SPAN("two!"));

	assert_int_equal(stuck_frame_keep(frames, a, 3), 0);
	assert_int_equal(stuck_frame_keep(frames, a, 3), 0); /* one copy for all */
	assert_int_equal(stuck_frame_keep(frames, b, 6), -ENOSPC);
	assert_int_equal(stuck_frames_bytes(frames), 3);
	overtake(two);
	forget(frames);
	assert_loads(frames, a, SPAN("one"));
	stuck_frame_unref(frames, a);
	assert_int_equal(stuck_frames_bytes(frames), 0);
	stuck_frame_unref(frames, b);
	stuck_frames_free(frames);
}

/* Whoever began a compressed frame gets the rest of the same bytes. */
static void
test_compressed_again(void **state)
{
	struct stuck_frames *frames = begin(state);
	struct buf plain = { 0 }, deflated = { 0 };
	struct stuck_frame *a, *b;
	char text[2000];
	uint8_t header[FRAME_HEADER_MAX];
	uint64_t seq;

	memset(text, 'x', sizeof(text));
	gateway.deflate = deflate_new();
	buf_append(&plain, (const char *)header,
	    frame_header_write(header, WS_TEXT, true, sizeof(text), NULL));
	buf_append(&plain, text, sizeof(text));
	assert_true(deflate_append_frame(
	    gateway.deflate, &deflated, WS_TEXT, span_make(text, sizeof(text))));
	seq = bus_publish(gateway.ring, buf_span(&plain));
	a = stuck_frame_ref(frames, seq, true, buf_span(&deflated));
	b = stuck_frame_ref(frames, seq, false, buf_span(&plain));
	assert_ptr_not_equal(a, b);
	assert_loads(frames, a, buf_span(&deflated));
	assert_loads(frames, b, buf_span(&plain));
	assert_int_equal(stuck_frame_keep(frames, a, PLENTY), 0);
	assert_int_equal(stuck_frames_bytes(frames), deflated.len);
	assert_loads(frames, a, buf_span(&deflated));
	stuck_frame_unref(frames, a);
	stuck_frame_unref(frames, b);
	stuck_frames_free(frames);
	deflate_free(gateway.deflate);
	buf_fini(&plain);
	buf_fini(&deflated);
}

static void
test_what_is_not_what_was_begun(void **state)
{
	struct stuck_frames *frames = begin(state);
	uint64_t one = bus_publish(gateway.ring, SPAN("one"));
	uint64_t two = bus_publish(gateway.ring, SPAN("two"));
	struct stuck_frame *a = stuck_frame_ref(frames, one, false, SPAN("one!"));
	struct stuck_frame *b = stuck_frame_ref(frames, two, false, SPAN("owt"));
	struct span bytes;

	assert_int_equal(stuck_frame_load(frames, a, &bytes), -ENODATA);
	assert_int_equal(stuck_frame_load(frames, b, &bytes), -ENODATA);
	stuck_frame_unref(frames, a);
	stuck_frame_unref(frames, b);
	stuck_frames_free(frames);
}

static void
test_what_is_soon_overwritten(void **state)
{
	struct bus *bus = *state;
	struct ring *ring = bus->ring;

	assert_true(ring_keeps(ring, 1, 2)); /* the first one to come */
	bus_publish_many(ring, 1, RING_BYTES_MIN / 8);
	assert_true(ring_keeps(ring, 1, 2));
	bus_publish_many(ring, 4, RING_BYTES_MIN / 8);
	assert_int_equal(ring_oldest(ring), 1);
	assert_true(ring_keeps(ring, 1, 4));
	assert_false(ring_keeps(ring, 1, 2));
	assert_true(ring_keeps(ring, 5, 2));
	assert_true(ring_keeps(ring, UINT64_MAX, 2));
	bus_publish_many(ring, 2000, 1); /* more than the index has */
	assert_false(ring_keeps(ring, 1, 4));
	assert_false(ring_keeps(ring, ring_oldest(ring), 16));
	assert_true(ring_keeps(ring, ring_head(ring), 2));
}

static void
try_all(void *arg)
{
	struct stuck_frames *frames = stuck_frames_new(arg);
	struct stuck_frame *frame;
	struct span bytes;

	if (frames == NULL)
		return;
	frame = stuck_frame_ref(frames, 1, false, SPAN("frame"));
	if (frame != NULL) {
		int r = stuck_frame_load(frames, frame, &bytes);

		assert_true(r == 0 || r == -ENOMEM);
		r = stuck_frame_keep(frames, frame, PLENTY);
		assert_true(r == 0 || r == -ENOMEM);
		assert_int_equal(stuck_frames_bytes(frames), r == 0 ? 5 : 0);
		stuck_frame_unref(frames, frame);
	}
	stuck_frames_free(frames);
}

static void
test_without_memory(void **state)
{
	struct bus *bus = *state;

	gateway.ring = bus->ring;
	assert_int_equal(bus_publish(bus->ring, SPAN("frame")), 1);
	assert_true(support_alloc_try_each(try_all, &gateway) >= 6);
	stuck_frames_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		bus_test(test_the_ring_has_it),
		bus_test(test_a_copy_outlives_the_ring),
		bus_test(test_compressed_again),
		bus_test(test_what_is_not_what_was_begun),
		bus_test(test_what_is_soon_overwritten),
		bus_test(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
