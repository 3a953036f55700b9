/*
 * The shared copies of frames that connections are stuck in.
 */
#include "support_cmocka.h"

#include <string.h>

#include "gateway/stuck.h"
#include "support_alloc.h"

static void
test_one_copy_for_all(void **state)
{
	struct stuck_frames *frames = stuck_frames_new();
	char text[] = "a frame";
	struct stuck_frame *a = stuck_frame_ref(frames, 7, span_make(text, 7));
	struct stuck_frame *b;

	(void)state;
	text[0] = 'X'; /* the copy is one */
	b = stuck_frame_ref(frames, 7, span_make(text, 7));
	assert_ptr_equal(a, b);
	assert_int_equal(a->len, 7);
	assert_memory_equal(a->bytes, "a frame", 7);
	assert_int_equal(stuck_frames_bytes(frames), 7);
	stuck_frame_unref(frames, a);
	assert_int_equal(stuck_frames_bytes(frames), 7);
	stuck_frame_unref(frames, b);
	assert_int_equal(stuck_frames_bytes(frames), 0);
	stuck_frames_free(frames);
}

static void
test_frames_are_apart(void **state)
{
	struct stuck_frames *frames = stuck_frames_new();
	struct stuck_frame *a = stuck_frame_ref(frames, 1, SPAN("one"));
	struct stuck_frame *b = stuck_frame_ref(frames, UINT64_C(1) << 32, SPAN("two!"));

	(void)state;
	assert_ptr_not_equal(a, b);
	assert_int_equal(stuck_frames_bytes(frames), 7);
	stuck_frame_unref(frames, a);
	assert_int_equal(stuck_frames_bytes(frames), 4);
	/* Let go of, it is a new copy that comes next. */
	a = stuck_frame_ref(frames, 1, SPAN("other"));
	assert_int_equal(a->len, 5);
	stuck_frame_unref(frames, a);
	stuck_frame_unref(frames, b);
	stuck_frames_free(frames);
}

static void
try_all(void *arg)
{
	struct stuck_frames *frames = stuck_frames_new();
	struct stuck_frame *frame;

	(void)arg;
	if (frames == NULL)
		return;
	frame = stuck_frame_ref(frames, 1, SPAN("frame"));
	assert_int_equal(stuck_frames_bytes(frames), frame != NULL ? 5 : 0);
	if (frame != NULL)
		stuck_frame_unref(frames, frame);
	stuck_frames_free(frames);
}

static void
test_without_memory(void **state)
{
	(void)state;
	assert_true(support_alloc_try_each(try_all, NULL) >= 3);
	stuck_frames_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_copy_for_all),
		cmocka_unit_test(test_frames_are_apart),
		cmocka_unit_test(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
