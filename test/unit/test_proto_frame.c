/*
 * Frames written: the header's shapes, masking at every length and offset, close frames.
 */
#include "support_cmocka.h"

#include <string.h>

#include "proto/frame.h"
#include "proto/utf8.h"
#include "support_alloc.h"
#include "support_guard.h"

static void
test_header_shapes(void **state)
{
	static const struct {
		uint64_t len;
		const char *header;
		size_t size;
	} cases[] = {
		{ 0, "\x81\x00", 2 },
		{ 125, "\x81\x7d", 2 },
		{ 126, "\x81\x7e\x00\x7e", 4 },
		{ 65535, "\x81\x7e\xff\xff", 4 },
		{ 65536, "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10 },
		{ INT64_MAX, "\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10 },
	};
	static const uint8_t mask[4] = { 1, 2, 3, 4 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t out[FRAME_HEADER_MAX];
		size_t size = cases[i].size;

		assert_int_equal(frame_header_size(cases[i].len), size);
		assert_int_equal(frame_header_write(out, WS_TEXT, true, cases[i].len, NULL), size);
		assert_memory_equal(out, cases[i].header, size);
		assert_int_equal(
		    frame_header_write(out, WS_TEXT, true, cases[i].len, mask), size + 4);
		assert_int_equal(out[1], (uint8_t)cases[i].header[1] | 0x80);
		assert_memory_equal(out + 2, cases[i].header + 2, size - 2);
		assert_memory_equal(out + size, mask, 4);
	}
}

static void
test_header_opcode_and_fin(void **state)
{
	uint8_t out[FRAME_HEADER_MAX];

	(void)state;
	(void)frame_header_write(out, WS_BINARY, false, 3, NULL);
	assert_int_equal(out[0], 0x02);
	(void)frame_header_write(out, WS_CONT, true, 3, NULL);
	assert_int_equal(out[0], 0x80);
	(void)frame_header_write(out, WS_PONG, true, 3, NULL);
	assert_int_equal(out[0], 0x8a);
}

/* The examples of RFC 6455 section 5.7. */
static void
test_examples_of_the_rfc(void **state)
{
	static const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
	struct buf out = { 0 };

	(void)state;
	frame_append(&out, WS_TEXT, SPAN("Hello"));
	assert_span(buf_span(&out), "\x81\x05Hello");
	buf_reset(&out);
	frame_append_masked(&out, WS_TEXT, SPAN("Hello"), mask);
	assert_span(buf_span(&out), "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
	buf_reset(&out);
	frame_append_masked(&out, WS_PONG, SPAN(""), mask);
	frame_append(&out, WS_PING, span_make(NULL, 0));
	assert_span(buf_span(&out), "\x8a\x80\x37\xfa\x21\x3d\x89\x00");
	buf_fini(&out);
}

static void
test_masking_everywhere(void **state)
{
	static const uint8_t mask[4] = { 0xa5, 0x00, 0xff, 0x3c };
	struct guard guard;
	char text[150];

	(void)state;
	support_guard_init(&guard, sizeof(text));
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 7);
	for (size_t n = 0; n <= sizeof(text); n++) {
		for (size_t offset = 0; offset < 9; offset++) {
			char *p = support_guard_put(&guard, span_make(text, n));

			frame_mask(p, n, mask, offset);
			for (size_t i = 0; i < n; i++)
				assert_int_equal(
				    (uint8_t)p[i], (uint8_t)text[i] ^ mask[(offset + i) % 4]);
			frame_mask(p, n, mask, offset);
			assert_memory_equal(p, text, n);
		}
	}
	support_guard_fini(&guard);
}

static void
test_close_frames(void **state)
{
	struct buf out = { 0 };

	(void)state;
	frame_append_close(&out, WS_CLOSE_NORMAL, SPAN("bye"));
	assert_span(buf_span(&out), "\x88\x05\x03\xe8"
				    "bye");
	buf_reset(&out);
	frame_append_close(&out, WS_CLOSE_GOING_AWAY, span_make(NULL, 0));
	assert_span(buf_span(&out), "\x88\x02\x03\xe9");
	buf_reset(&out);
	frame_append_close(&out, WS_CLOSE_NO_STATUS, SPAN("never said"));
	frame_append_close(&out, WS_CLOSE_ABNORMAL, SPAN(""));
	frame_append_close(&out, 1015, SPAN(""));
	assert_span(buf_span(&out), "\x88\x00\x88\x00\x88\x00");
	buf_reset(&out);
	frame_append_close(&out, WS_CLOSE_POLICY, SPAN("broken \xff"));
	assert_span(buf_span(&out), "\x88\x02\x03\xf0");
	buf_fini(&out);
}

/* A long reason is cut to 123 bytes, and never inside a character. */
static void
test_close_reason_is_cut(void **state)
{
	char reason[200];

	(void)state;
	for (size_t plain = 0; plain < 8; plain++) {
		struct buf out = { 0 };
		struct span sent;
		size_t n = plain;

		memset(reason, 'x', plain);
		while (n + 3 <= sizeof(reason)) {
			memcpy(reason + n, "\xe2\x82\xac", 3);
			n += 3;
		}
		frame_append_close(&out, WS_CLOSE_NORMAL, span_make(reason, n));
		assert_int_equal((uint8_t)out.data[1], out.len - 2);
		sent = span_skip(buf_span(&out), 4);
		assert_in_range(sent.n, FRAME_REASON_MAX - 2, FRAME_REASON_MAX);
		assert_true(utf8_is_valid(sent));
		buf_fini(&out);
	}
}

static void
test_close_codes(void **state)
{
	static const struct {
		unsigned from, to;
	} good[] = { { 1000, 1003 }, { 1007, 1014 }, { 3000, 4999 } };

	(void)state;
	for (unsigned code = 0; code <= UINT16_MAX; code++) {
		bool expected = false;

		for (size_t i = 0; i < 3; i++)
			expected |= code >= good[i].from && code <= good[i].to;
		assert_int_equal(frame_close_code_is_valid((uint16_t)code), expected);
	}
}

static void
test_out_of_memory(void **state)
{
	static const uint8_t mask[4] = { 1, 2, 3, 4 };
	struct buf out = { 0 };

	(void)state;
	support_alloc_fail_all();
	frame_append(&out, WS_TEXT, SPAN("a"));
	frame_append_masked(&out, WS_TEXT, SPAN("a"), mask);
	frame_append_close(&out, WS_CLOSE_NORMAL, SPAN("a"));
	support_alloc_fail_at(0);
	assert_int_not_equal(buf_status(&out), 0);
	assert_int_equal(out.len, 0);
	buf_fini(&out);
}

static void
write_masked(struct buf *out, void *arg)
{
	frame_append_masked(out, WS_TEXT, SPAN("abc"), arg);
}

static void
test_breaking_off_anywhere(void **state)
{
	uint8_t mask[4] = { 1, 2, 3, 4 };

	(void)state;
	assert_int_equal(support_alloc_break_off(write_masked, mask), 2 + 4 + 3);
}

/* What is written is measured again, from the header alone, and from no less. */
static void
test_measuring_own_frames(void **state)
{
	static const uint64_t lengths[] = { 0, 1, 125, 126, 65535, 65536, INT64_MAX - 10 };

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		uint8_t out[FRAME_HEADER_MAX];
		size_t size = frame_header_write(out, WS_TEXT, true, lengths[i], NULL);
		struct span header = span_make((const char *)out, size);

		assert_int_equal(frame_payload_offset(header), size);
		assert_true(frame_total(header) == lengths[i] + size);
		for (header.n = 0; header.n < size; header.n++) {
			assert_int_equal(frame_payload_offset(header), 0);
			assert_true(frame_total(header) == 0);
		}
	}
}

/* Wherever a run is cut, what is left of its frame is known. */
static void
what_is_left_of_a_frame(void **state)
{
	static const char text[300];
	struct buf run = { 0 };
	size_t ends[3], frame = 0;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		frame_append(&run, WS_TEXT, span_make(text, i * 140));
		ends[i] = run.len;
	}
	for (size_t sent = 1; sent <= run.len; sent++) {
		while (sent > ends[frame])
			frame++;
		assert_int_equal(frame_left_after(0, buf_span(&run), sent), ends[frame] - sent);
		/* The same run, behind the rest of a frame that begins earlier. */
		assert_int_equal(
		    frame_left_after(ends[0], buf_span(&run), sent), ends[frame] - sent);
	}
	assert_int_equal(frame_left_after(7, SPAN("1234567"), 3), 4);
	/* No whole header, so no frame. */
	assert_int_equal(frame_left_after(0, SPAN("\x81"), 1), 0);
	buf_fini(&run);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_shapes),
		cmocka_unit_test(test_header_opcode_and_fin),
		cmocka_unit_test(test_examples_of_the_rfc),
		cmocka_unit_test(test_masking_everywhere),
		cmocka_unit_test(test_measuring_own_frames),
		cmocka_unit_test(test_close_frames),
		cmocka_unit_test(test_close_reason_is_cut),
		cmocka_unit_test(test_close_codes),
		cmocka_unit_test(test_out_of_memory),
		cmocka_unit_test(what_is_left_of_a_frame),
		cmocka_unit_test(test_breaking_off_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
