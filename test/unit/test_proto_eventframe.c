/*
 * The frame of an event, byte by byte, its places for numbers, and its one reservation.
 */
#include "support_cmocka.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "proto/eventframe.h"
#include "support_alloc.h"

static void
assert_place(const struct eventframe *frame, struct eventframe_digits place, const char *digits)
{
	assert_int_equal(place.width, strlen(digits));
	assert_memory_equal(frame->bytes.data + place.offset, digits, place.width);
}

/* The frame's payload; checks the header in front of it. */
static struct span
text_of(const struct eventframe *frame)
{
	const unsigned char *p = (const unsigned char *)frame->bytes.data;
	size_t n = frame->bytes.len, length = p[1];
	size_t header = length < 126 ? 2 : length == 126 ? 4 : 10;

	assert_int_equal(p[0], 0x81);
	if (header > 2) {
		length = 0;
		for (size_t i = 2; i < header; i++)
			length = length << 8 | p[i];
		assert_true(length >= (header == 4 ? 126 : 65536));
	}
	assert_int_equal(header + length, n);
	return span_make(frame->bytes.data + header, length);
}

static void
test_example_of_the_protocol(void **state)
{
	struct eventframe frame = { 0 };

	(void)state;
	assert_int_equal(eventframe_build(&frame, 1066, 1706700000000, SPAN("session.message"),
			     SPAN("{\"content\":\"Hello!\",\"role\":\"user\"}"),
			     SPAN("telegram:123456789:main")),
	    0);
	assert_span(text_of(&frame),
	    "{\"id\":\"evt_0000042a\",\"type\":\"event\",\"seq\":1066,\"at\":1706700000000,"
	    "\"event\":\"session.message\",\"payload\":{\"content\":\"Hello!\",\"role\":\"user\"},"
	    "\"sessionKey\":\"telegram:123456789:main\"}");
	assert_place(&frame, frame.id, "0000042a");
	assert_place(&frame, frame.seq, "1066");
	assert_place(&frame, frame.at, "1706700000000");
	eventframe_fini(&frame);
	assert_null(frame.bytes.data);
}

static void
test_absent_members(void **state)
{
	struct eventframe frame = { 0 };
	const struct span none = { 0 };

	(void)state;
	assert_int_equal(eventframe_build(&frame, 0, 0, SPAN("x"), none, none), 0);
	assert_span(text_of(&frame),
	    "{\"id\":\"evt_00000000\",\"type\":\"event\",\"seq\":0,\"at\":0,\"event\":\"x\"}");
	assert_int_equal(eventframe_build(&frame, 1, 2, SPAN("x"), SPAN("null"), none), 0);
	assert_span(text_of(&frame),
	    "{\"id\":\"evt_00000001\",\"type\":\"event\",\"seq\":1,\"at\":2,"
	    "\"event\":\"x\",\"payload\":null}");
	assert_int_equal(eventframe_build(&frame, 1, 2, SPAN("x"), none, SPAN("k")), 0);
	assert_span(text_of(&frame),
	    "{\"id\":\"evt_00000001\",\"type\":\"event\",\"seq\":1,\"at\":2,"
	    "\"event\":\"x\",\"sessionKey\":\"k\"}");
	eventframe_fini(&frame);
}

/* The key stands escaped as expected, at the end of the frame. */
static void
assert_key_written(struct span key, struct span expected)
{
	struct eventframe frame = { 0 };
	struct span text;

	assert_int_equal(eventframe_build(&frame, 1, 2, SPAN("x"), span_make(NULL, 0), key), 0);
	text = text_of(&frame);
	assert_true(text.n > expected.n + 2);
	support_assert_span(
	    span_make(text.p + text.n - 2 - expected.n, expected.n), expected, __FILE__, __LINE__);
	assert_memory_equal(text.p + text.n - 2, "\"}", 2);
	/* The reservation was exact, or the least that a buffer has. */
	assert_true(frame.bytes.cap == frame.bytes.len || frame.bytes.cap == 64);
	eventframe_fini(&frame);
}

static void
test_keys_are_escaped(void **state)
{
	(void)state;
	assert_key_written(SPAN("a\"b\\c\n"), SPAN("Key\":\"a\\\"b\\\\c\\n"));
	assert_key_written(SPAN("\x01"), SPAN("Key\":\"\\u0001"));
	assert_key_written(SPAN("\0"), SPAN("Key\":\"\\u0000"));
	assert_key_written(SPAN("caf\xc3\xa9"), SPAN("Key\":\"caf\xc3\xa9"));
	/* Not valid, and of the same length when replaced. */
	assert_key_written(SPAN("\xf0\x9f\x98x"), SPAN("Key\":\"\xef\xbf\xbdx"));
	assert_key_written(SPAN("\xff"), SPAN("Key\":\"\xef\xbf\xbd"));
}

static void
test_wide_numbers(void **state)
{
	struct eventframe frame = { 0 };
	const struct span none = { 0 };

	(void)state;
	assert_int_equal(
	    eventframe_build(&frame, UINT64_MAX, UINT64_MAX, SPAN("x"), none, none), 0);
	assert_place(&frame, frame.id, "ffffffffffffffff");
	assert_place(&frame, frame.seq, "18446744073709551615");
	assert_place(&frame, frame.at, "18446744073709551615");
	assert_int_equal(eventframe_build(&frame, 0x100000000, 1, SPAN("x"), none, none), 0);
	assert_place(&frame, frame.id, "100000000");
	eventframe_fini(&frame);
}

static void
test_setting_the_numbers(void **state)
{
	struct eventframe frame = { 0 };
	const struct span none = { 0 };

	(void)state;
	assert_int_equal(eventframe_build(&frame, 998, 1706700000000, SPAN("x"), none, none), 0);
	assert_int_equal(eventframe_set(&frame, 999, 1706700000001), 0);
	assert_span(text_of(&frame), "{\"id\":\"evt_000003e7\",\"type\":\"event\",\"seq\":999,"
				     "\"at\":1706700000001,\"event\":\"x\"}");
	assert_int_equal(eventframe_set(&frame, 1000, 1706700000001), -ERANGE);
	assert_int_equal(eventframe_set(&frame, 99, 1706700000001), -ERANGE);
	assert_int_equal(eventframe_set(&frame, 999, 99999999999999), -ERANGE);
	assert_span(text_of(&frame), "{\"id\":\"evt_000003e7\",\"type\":\"event\",\"seq\":999,"
				     "\"at\":1706700000001,\"event\":\"x\"}");
	eventframe_fini(&frame);
}

static void
test_header_at_every_border(void **state)
{
	static char payload[66000];
	struct eventframe frame = { 0 };
	size_t bare;

	(void)state;
	memset(payload, '1', sizeof(payload));
	assert_int_equal(
	    eventframe_build(&frame, 1, 1, SPAN("x"), span_make(payload, 1), span_make(NULL, 0)),
	    0);
	bare = text_of(&frame).n - 1;
	for (size_t length = 120; length < 65600; length = length == 130 ? 65530 : length + 1) {
		size_t n = length - bare;

		assert_int_equal(eventframe_build(&frame, 1, 1, SPAN("x"), span_make(payload, n),
				     span_make(NULL, 0)),
		    0);
		assert_int_equal(text_of(&frame).n, length);
		assert_place(&frame, frame.id, "00000001");
		assert_place(&frame, frame.seq, "1");
		assert_place(&frame, frame.at, "1");
	}
	eventframe_fini(&frame);
}

static void
test_memory_is_used_again(void **state)
{
	struct eventframe frame = { 0 };
	const struct span none = { 0 };

	(void)state;
	support_alloc_fail_at(1);
	assert_int_equal(eventframe_build(&frame, 1, 1, SPAN("x"), none, none), -ENOMEM);
	assert_int_equal(frame.bytes.len, 0);
	support_alloc_fail_at(0);
	assert_int_equal(eventframe_build(&frame, 1, 1, SPAN("event.one"), none, SPAN("k\n")), 0);
	assert_int_equal(support_alloc_count(), 1);
	assert_int_equal(eventframe_build(&frame, 2, 1, SPAN("event.two"), none, SPAN("k")), 0);
	assert_int_equal(support_alloc_count(), 1);
	assert_memory_equal(text_of(&frame).p, "{\"id\":\"evt_00000002\"", 20);
	eventframe_fini(&frame);
}

static void
test_too_large(void **state)
{
	struct eventframe frame = { 0 };
	const struct span none = { 0 };

	(void)state;
	/* The bytes of such a payload are never looked at. */
	assert_int_equal(
	    eventframe_build(&frame, 1, 1, SPAN("x"), span_make("", UINT32_MAX), none), -EMSGSIZE);
	assert_int_equal(frame.bytes.len, 0);
	eventframe_fini(&frame);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example_of_the_protocol),
		cmocka_unit_test(test_absent_members),
		cmocka_unit_test(test_keys_are_escaped),
		cmocka_unit_test(test_wide_numbers),
		cmocka_unit_test(test_setting_the_numbers),
		cmocka_unit_test(test_header_at_every_border),
		cmocka_unit_test(test_memory_is_used_again),
		cmocka_unit_test(test_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
