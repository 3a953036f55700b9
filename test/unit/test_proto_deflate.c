/*
 * The codec of permessage-deflate: the examples of RFC 7692 section 7.2.3, what must not be taken for data,
 * bounds, and every allocation that fails.
 */
#include "support_cmocka.h"

#include <string.h>

#include "base/buf.h"
#include "proto/deflate.h"
#include "support_alloc.h"

static int
codec_setup(void **state)
{
	*state = deflate_new();
	return *state == NULL;
}

static int
codec_teardown(void **state)
{
	deflate_free(*state);
	return 0;
}

static void
expect_message(struct deflate *codec, struct span payload, const char *message)
{
	struct buf out = { 0 };

	assert_int_equal(deflate_inflate(codec, &out, payload, strlen(message)), INFLATE_DONE);
	assert_true(span_is(buf_span(&out), message));
	buf_fini(&out);
	if (message[0] != '\0')
		assert_int_equal(
		    deflate_inflate(codec, &out, payload, strlen(message) - 1), INFLATE_TOO_BIG);
	buf_fini(&out);
}

static void
expect_bad(struct deflate *codec, struct span payload)
{
	struct buf out = { 0 };

	assert_int_equal(deflate_inflate(codec, &out, payload, 1000), INFLATE_BAD);
	buf_fini(&out);
}

/* "Hello" in one block, without compression, in a last block, in two blocks; and nothing at all. */
static void
test_examples(void **state)
{
	expect_message(*state, SPAN("\xf2\x48\xcd\xc9\xc9\x07\x00"), "Hello");
	expect_message(*state, SPAN("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), "Hello");
	expect_message(*state, SPAN("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), "Hello");
	expect_message(
	    *state, SPAN("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), "Hello");
	expect_message(*state, SPAN("\x00"), "");
	expect_message(*state, SPAN(""), "");
}

static void
test_bad_data(void **state)
{
	/* a block type that there is none of, a length that contradicts itself, codes that are no tree */
	expect_bad(*state, SPAN("\x07\x00"));
	expect_bad(*state, SPAN("\x00\x05\x00\xfb\xff\x48\x65\x6c\x6c\x6f\x00"));
	expect_bad(*state, SPAN("\x04\xff\xff\xff\xff\xff\xff\xff"));
	/* cut off; a reference to before the beginning; a last block, and nothing behind it */
	expect_bad(*state, SPAN("\xf2\x48\xcd"));
	expect_bad(*state, SPAN("\x00\x05\x00\xfa\xff\x48"));
	expect_bad(*state, SPAN("\x02\x02\x00\x00"));
	expect_bad(*state, SPAN("\xf3\x48\xcd\xc9\xc9\x07\x00"));
	/* The codec is as good as new. */
	expect_message(*state, SPAN("\xf2\x48\xcd\xc9\xc9\x07\x00"), "Hello");
}

/* Each message stands for itself: what the one before held may not be referred to (7.2.3.2). */
static void
test_no_context(void **state)
{
	expect_message(*state, SPAN("\xf2\x48\xcd\xc9\xc9\x07\x00"), "Hello");
	expect_bad(*state, SPAN("\x02\x02\x00\x00"));
}

/* Text that compresses somewhat; the same for the same n. */
static void
fill(struct buf *text, size_t n)
{
	uint32_t dice = 1;

	while (text->len < n) {
		dice = dice * 1664525 + 1013904223;
		buf_printf(
		    text, "{\"role\":\"user\",\"n\":%u,\"content\":\"%x\"}", dice >> 8, dice);
	}
	text->len = n;
}

/* What comes out of a frame is what went in. */
static void
expect_back(struct deflate *codec, struct span frame, struct span message)
{
	struct buf out = { 0 };
	struct span payload = span_skip(frame, frame_payload_offset(frame));

	assert_int_equal((uint8_t)frame.p[0], 0x80 | FRAME_RSV1 | WS_TEXT);
	assert_int_equal(frame_total(frame), frame.n);
	assert_int_equal(deflate_inflate(codec, &out, payload, message.n), INFLATE_DONE);
	assert_true(span_is_equal(buf_span(&out), message));
	buf_fini(&out);
}

static void
test_frames(void **state)
{
	static const size_t lengths[] = { 100, 125, 126, 200, 512, 1000, 4000, 65535, 65536, 300000,
		3000000 };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct buf text = { 0 }, out = { 0 };

		fill(&text, lengths[i]);
		buf_append_cstr(&out, "before");
		assert_true(deflate_append_frame(*state, &out, WS_TEXT, buf_span(&text)));
		assert_true(out.len - 6 < lengths[i] * 9 / 10 + 20);
		assert_memory_equal(out.data, "before", 6);
		expect_back(*state, span_skip(buf_span(&out), 6), buf_span(&text));
		buf_fini(&text);
		buf_fini(&out);
	}
}

/* An event is compressed in each worker: all of them are to say the same. */
static void
test_same_bytes_each_time(void **state)
{
	struct buf text = { 0 }, first = { 0 }, second = { 0 };

	fill(&text, 5000);
	assert_true(deflate_append_frame(*state, &first, WS_TEXT, buf_span(&text)));
	assert_true(
	    deflate_append_frame(*state, &second, WS_TEXT, SPAN("aaaaaaaaaaaaaaaaaaaaaaaa")));
	buf_reset(&second);
	assert_true(deflate_append_frame(*state, &second, WS_TEXT, buf_span(&text)));
	assert_true(span_is_equal(buf_span(&first), buf_span(&second)));
	buf_fini(&text);
	buf_fini(&first);
	buf_fini(&second);
}

static void
test_what_does_not_shrink(void **state)
{
	char noise[4000];
	struct buf out = { 0 };
	uint32_t dice = 7;

	for (size_t i = 0; i < sizeof(noise); i++) {
		dice = dice * 1664525 + 1013904223;
		noise[i] = (char)(dice >> 24);
	}
	for (size_t n = 0; n < sizeof(noise); n += n < 40 ? 1 : 99) {
		buf_append_cstr(&out, "x");
		assert_false(deflate_append_frame(*state, &out, WS_BINARY, span_make(noise, n)));
		assert_true(span_is(buf_span(&out), "x"));
		buf_reset(&out);
	}
	buf_fini(&out);
}

/* A kilobyte stands for a megabyte; no more than the limit is ever asked for. */
static void
test_bomb(void **state)
{
	static char zeros[1 << 20];
	struct buf frame = { 0 }, out = { 0 };
	struct span payload;

	assert_true(deflate_append_frame(*state, &frame, WS_TEXT, span_make(zeros, sizeof(zeros))));
	assert_true(frame.len < 8192);
	payload = span_skip(buf_span(&frame), frame_payload_offset(buf_span(&frame)));
	assert_int_equal(deflate_inflate(*state, &out, payload, sizeof(zeros)), INFLATE_DONE);
	assert_int_equal(out.len, sizeof(zeros));
	buf_fini(&out);
	assert_int_equal(deflate_inflate(*state, &out, payload, 65536), INFLATE_TOO_BIG);
	assert_int_equal(out.len, 65537);
	assert_true(out.cap <= 4 * 65536);
	buf_fini(&out);
	buf_fini(&frame);
}

static void
try_all(void *arg)
{
	struct deflate *codec = deflate_new();
	struct span message = buf_span(arg);
	struct buf frame = { 0 }, out = { 0 };

	if (codec != NULL && deflate_append_frame(codec, &frame, WS_TEXT, message)) {
		struct span payload =
		    span_skip(buf_span(&frame), frame_payload_offset(buf_span(&frame)));
		enum inflate_verdict verdict = deflate_inflate(codec, &out, payload, 3000);

		assert_true(verdict == INFLATE_DONE || verdict == INFLATE_NOMEM);
		assert_true(verdict == INFLATE_NOMEM || span_is_equal(buf_span(&out), message));
	}
	assert_int_equal(buf_status(&frame), 0);
	buf_fini(&frame);
	buf_fini(&out);
	deflate_free(codec);
}

static void
test_without_memory(void **state)
{
	struct buf text = { 0 };

	(void)state;
	fill(&text, 3000);
	assert_true(support_alloc_try_each(try_all, &text) >= 8);
	buf_fini(&text);
	deflate_free(NULL);
}

/* Beside the buffers, nothing is asked for once the codec is there. */
static void
test_memory_is_taken_once(void **state)
{
	struct buf text = { 0 }, frame = { 0 }, out = { 0 };
	struct span payload;

	fill(&text, 50000);
	assert_true(buf_reserve(&frame, 100000));
	assert_true(buf_reserve(&out, 200000));
	support_alloc_fail_all();
	assert_true(deflate_append_frame(*state, &frame, WS_TEXT, buf_span(&text)));
	payload = span_skip(buf_span(&frame), frame_payload_offset(buf_span(&frame)));
	assert_int_equal(deflate_inflate(*state, &out, payload, 50000), INFLATE_DONE);
	support_alloc_fail_at(0);
	assert_true(span_is_equal(buf_span(&out), buf_span(&text)));
	buf_fini(&text);
	buf_fini(&frame);
	buf_fini(&out);
}

#define codec_test(f) cmocka_unit_test_setup_teardown(f, codec_setup, codec_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		codec_test(test_examples),
		codec_test(test_bad_data),
		codec_test(test_no_context),
		codec_test(test_frames),
		codec_test(test_same_bytes_each_time),
		codec_test(test_what_does_not_shrink),
		codec_test(test_bomb),
		codec_test(test_without_memory),
		codec_test(test_memory_is_taken_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
