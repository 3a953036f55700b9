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
	struct stuck_frame *a = stuck_frame_ref(frames, 7, false, span_make(text, 7));
	struct stuck_frame *b;

	(void)state;
	text[0] = 'X'; /* the copy is one */
	b = stuck_frame_ref(frames, 7, false, span_make(text, 7));
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
	struct stuck_frame *a = stuck_frame_ref(frames, 1, false, SPAN("one"));
	struct stuck_frame *b = stuck_frame_ref(frames, UINT64_C(1) << 32, false, SPAN("two!"));

	(void)state;
	assert_ptr_not_equal(a, b);
	assert_int_equal(stuck_frames_bytes(frames), 7);
	stuck_frame_unref(frames, a);
	assert_int_equal(stuck_frames_bytes(frames), 4);
	/* Let go of, it is a new copy that comes next. */
	a = stuck_frame_ref(frames, 1, false, SPAN("other"));
	assert_int_equal(a->len, 5);
	stuck_frame_unref(frames, a);
	stuck_frame_unref(frames, b);
	stuck_frames_free(frames);
}

/* Who is stuck in the compressed frame must not be sent the rest of the plain one. */
static void
test_forms_are_apart(void **state)
{
	struct stuck_frames *frames = stuck_frames_new();
	struct stuck_frame *plain = stuck_frame_ref(frames, 5, false, SPAN("a plain frame"));
	struct stuck_frame *deflated = stuck_frame_ref(frames, 5, true, SPAN("short"));

	(void)state;
	assert_int_equal(plain->len, 13);
	assert_int_equal(deflated->len, 5);
	assert_ptr_equal(stuck_frame_ref(frames, 5, true, SPAN("short")), deflated);
	assert_int_equal(stuck_frames_bytes(frames), 18);
	stuck_frame_unref(frames, deflated);
	stuck_frame_unref(frames, deflated);
	assert_int_equal(stuck_frames_bytes(frames), 13);
	stuck_frame_unref(frames, plain);
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
	frame = stuck_frame_ref(frames, 1, false, SPAN("frame"));
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
		cmocka_unit_test(test_forms_are_apart),
		cmocka_unit_test(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
