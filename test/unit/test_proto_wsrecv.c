/*
 * Frames received: what comes out of given bytes, in one notation. Each case is fed whole, byte by
 * byte, and cut in two at every place; each piece ends at a page that nobody may touch.
 */
#include "support_cmocka.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "proto/wsrecv.h"
#include "support_guard.h"

enum { INPUT_MAX = 1 << 18 };

static const uint8_t key[4] = { 0x37, 0xfa, 0x21, 0x3d };

static const struct wsrecv_limits server = {
	.max_message = 100000, .max_fragments = 4, .allow_binary = true, .expect_masked = true
};
static const struct wsrecv_limits client = {
	.max_message = 100000, .max_fragments = 4, .allow_binary = true, .expect_masked = false
};
static const struct wsrecv_limits text_only = {
	.max_message = 10, .max_fragments = 4, .allow_binary = false, .expect_masked = true
};

static struct guard guard;

static int
open_guard(void **state)
{
	(void)state;
	support_guard_init(&guard, INPUT_MAX);
	return 0;
}

static int
close_guard(void **state)
{
	(void)state;
	support_guard_fini(&guard);
	return 0;
}

/* Appends a masked frame with any first byte, also one that no correct client would send. */
static void
put(struct buf *out, uint8_t first, struct span payload)
{
	uint8_t header[FRAME_HEADER_MAX];
	size_t size = frame_header_write(header, WS_CONT, false, payload.n, key);

	header[0] = first;
	buf_append(out, header, size);
	buf_append_span(out, payload);
	frame_mask(out->data + out->len - payload.n, payload.n, key, 0);
}

/* Writes an item down: "text(hello) ", "close(1000 bye) ", "fail(1002) "; long ones as "#LENGTH". */
static void
note(struct buf *out, enum wsrecv_verdict verdict, const struct wsrecv_item *item)
{
	static const char *const names[] = { "more", "text", "binary", "ping", "pong", "close",
		"fail" };

	assert_non_null(item->payload.p);
	assert_true(strlen(item->reason) <= FRAME_REASON_MAX);
	assert_int_equal(item->reason[0] != '\0', verdict == WSRECV_FAIL);
	assert_int_equal(item->code != 0, verdict == WSRECV_FAIL || verdict == WSRECV_CLOSE);
	buf_printf(out, "%s(", names[verdict]);
	if (item->code != 0)
		buf_printf(out, item->payload.n > 0 ? "%d " : "%d", item->code);
	if (item->payload.n > 200)
		buf_printf(out, "#%zu", item->payload.n);
	else
		buf_append_span(out, item->payload);
	buf_append_cstr(out, ") ");
}

/* Feeds one piece of input and writes down what comes out. */
static void
feed(struct wsrecv *ws, const struct wsrecv_limits *limits, struct span piece, struct buf *out)
{
	char *data = support_guard_put(&guard, piece);
	enum wsrecv_verdict verdict;
	struct wsrecv_item item;
	size_t at = 0, used;

	do {
		verdict = wsrecv_next(ws, limits, data + at, piece.n - at, &used, &item);
		assert_true(used <= piece.n - at);
		at += used;
		if (verdict != WSRECV_MORE)
			note(out, verdict, &item);
	} while (verdict != WSRECV_MORE);
	assert_int_equal(at, piece.n);
	if (wsrecv_is_idle(ws))
		assert_null(ws->message.data);
}

/* Feeds pieces of the given sizes, again and again the second. */
static void
expect_cut(const struct wsrecv_limits *limits, struct span input, size_t first, size_t then,
    const char *expected)
{
	struct wsrecv ws;
	struct buf out = { 0 };
	size_t n = first;

	wsrecv_init(&ws);
	for (size_t at = 0; at < input.n; at += n, n = then) {
		if (n > input.n - at)
			n = input.n - at;
		feed(&ws, limits, span_make(input.p + at, n), &out);
	}
	if (!span_is(buf_span(&out), expected))
		fail_msg("cut at %zu and then every %zu: %.*s instead of %s", first, then,
		    SPAN_ARGS(buf_span(&out)), expected);
	wsrecv_fini(&ws);
	buf_fini(&out);
}

static void
expect(const struct wsrecv_limits *limits, struct span input, const char *expected)
{
	size_t step = input.n > 1000 ? 997 : 1;

	expect_cut(limits, input, input.n, input.n, expected);
	for (size_t n = 1; n < 16; n++)
		expect_cut(limits, input, n, n, expected);
	for (size_t first = 1; first < input.n; first += step)
		expect_cut(limits, input, first, input.n, expected);
}

/* The same for what was put into a buffer, which is emptied. */
static void
expect_put(struct buf *input, const char *expected)
{
	expect(&server, buf_span(input), expected);
	buf_fini(input);
}

static void
test_single_frames(void **state)
{
	struct buf in = { 0 };

	(void)state;
	expect(&server, SPAN("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), "text(Hello) ");
	expect(&client,
	    SPAN("\x81\x05Hello\x82\x03"
		 "abc\x81\x00\x82\x00"),
	    "text(Hello) binary(abc) text() binary() ");
	put(&in, 0x81, SPAN(""));
	put(&in, 0x82, SPAN("\xff\xfe"));
	put(&in, 0x81, SPAN("gr\xc3\xbc\xc3\x9f"));
	put(&in, 0x89, SPAN("are you there"));
	put(&in, 0x8a, SPAN(""));
	put(&in, 0x89, SPAN(""));
	expect_put(&in,
	    "text() binary(\xff\xfe) text(gr\xc3\xbc\xc3\x9f) ping(are you there) pong() ping() ");
}

static void
test_lengths(void **state)
{
	static const struct {
		size_t len;
		const char *expected;
	} cases[] = { { 125, NULL }, { 126, NULL }, { 200, NULL }, { 201, "text(#201) " },
		{ 65535, "text(#65535) " }, { 65536, "text(#65536) " },
		{ 100000, "text(#100000) " }, { 100001, "fail(1009) " } };
	static char payload[100001];

	(void)state;
	memset(payload, 'x', sizeof(payload));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf in = { 0 };
		char expected[300];

		(void)snprintf(expected, sizeof(expected), "text(%.*s) ",
		    cases[i].len > 200 ? 0 : (int)cases[i].len, payload);
		put(&in, 0x81, span_make(payload, cases[i].len));
		expect_put(&in, cases[i].expected != NULL ? cases[i].expected : expected);
	}
}

static void
test_fragments(void **state)
{
	struct buf in = { 0 };

	(void)state;
	put(&in, 0x01, SPAN("Hel"));
	put(&in, 0x80, SPAN("lo"));
	put(&in, 0x02, SPAN(""));
	put(&in, 0x00, SPAN(""));
	put(&in, 0x00, SPAN("\xff"));
	put(&in, 0x80, SPAN(""));
	put(&in, 0x01, SPAN(""));
	put(&in, 0x80, SPAN(""));
	put(&in, 0x01, SPAN(""));
	put(&in, 0x80, SPAN("late"));
	expect_put(&in, "text(Hello) binary(\xff) text() text(late) ");
}

static void
test_control_frames_in_between(void **state)
{
	struct buf in = { 0 };

	(void)state;
	put(&in, 0x01, SPAN("a"));
	put(&in, 0x89, SPAN("ping"));
	put(&in, 0x00, SPAN("b"));
	put(&in, 0x8a, SPAN(""));
	put(&in, 0x89, SPAN("another"));
	put(&in, 0x80, SPAN("c"));
	put(&in, 0x02, SPAN(""));
	put(&in, 0x89, SPAN("x"));
	put(&in, 0x80, SPAN("y"));
	put(&in, 0x01, SPAN("never ended"));
	put(&in, 0x88,
	    SPAN("\x03\xe8"
		 "bye"));
	put(&in, 0x81, SPAN("too late"));
	expect_put(
	    &in, "ping(ping) pong() ping(another) text(abc) ping(x) binary(y) close(1000 bye) ");
}

static void
test_longest_control_frame(void **state)
{
	char payload[125], expected[140];
	struct buf in = { 0 };

	(void)state;
	memset(payload, 'p', sizeof(payload));
	(void)snprintf(expected, sizeof(expected), "ping(%.*s) ", 125, payload);
	put(&in, 0x89, span_make(payload, 125));
	expect_put(&in, expected);
	expect(&server, SPAN("\x89\xfe\x00\x7e"), "fail(1002) ");
	expect(&server, SPAN("\x88\xfe"), "fail(1002) ");
	expect(&server, SPAN("\x8a\xff"), "fail(1002) ");
}

/* Each is refused as soon as its field is there: nothing follows in these inputs. */
static void
test_bad_first_bytes(void **state)
{
	char first;

	(void)state;
	for (int byte = 0; byte < 256; byte++) {
		int opcode = byte & 0xf;
		bool is_control = opcode >= 8 && opcode <= 10 && byte >= 0x80;
		bool is_good = (byte & 0x70) == 0 && (opcode == 1 || opcode == 2 || is_control);

		first = (char)byte;
		expect(&server, span_make(&first, 1), is_good ? "" : "fail(1002) ");
	}
}

static void
test_order_of_fragments(void **state)
{
	struct buf in = { 0 };

	(void)state;
	put(&in, 0x80, SPAN("nothing to continue"));
	expect_put(&in, "fail(1002) ");
	put(&in, 0x00, SPAN("nothing to continue"));
	expect_put(&in, "fail(1002) ");
	put(&in, 0x81, SPAN("whole"));
	put(&in, 0x80, SPAN("nothing to continue"));
	expect_put(&in, "text(whole) fail(1002) ");
	put(&in, 0x01, SPAN("unfinished"));
	put(&in, 0x81, SPAN("new"));
	expect_put(&in, "fail(1002) ");
	put(&in, 0x01, SPAN("unfinished"));
	put(&in, 0x02, SPAN("new"));
	expect_put(&in, "fail(1002) ");
	put(&in, 0x09, SPAN("a fragmented ping"));
	expect_put(&in, "fail(1002) ");
}

static void
test_masking_direction(void **state)
{
	(void)state;
	expect(&server, SPAN("\x81\x05"), "fail(1002) ");
	expect(&server, SPAN("\x89\x00"), "fail(1002) ");
	expect(&client, SPAN("\x81\x85"), "fail(1002) ");
	expect(&client, SPAN("\x88\x80"), "fail(1002) ");
}

static void
test_length_encodings(void **state)
{
	(void)state;
	expect(&server, SPAN("\x81\xfe\x00\x7d"), "fail(1002) ");
	expect(&server, SPAN("\x81\xfe\x00\x00"), "fail(1002) ");
	expect(&server, SPAN("\x81\xff\x00\x00\x00\x00\x00\x00\xff\xff"), "fail(1002) ");
	expect(&server, SPAN("\x81\xff\x00\x00\x00\x00\x00\x00\x00\x05"), "fail(1002) ");
	expect(&server, SPAN("\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00"), "fail(1002) ");
	expect(&server, SPAN("\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff"), "fail(1002) ");
	expect(&server, SPAN("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff"), "fail(1009) ");
	expect(&server, SPAN("\x81\xff\x00\x00\x00\x01\x00\x00\x00\x00"), "fail(1009) ");
	expect(&server, SPAN("\x81\xff\x00\x00\x00\x00\x00\x01\x86\xa0"), "");
	expect(&server, SPAN("\x81\xff\x00\x00\x00\x00\x00\x01\x86\xa1"), "fail(1009) ");
}

static void
test_message_limit_across_fragments(void **state)
{
	struct buf in = { 0 };

	(void)state;
	put(&in, 0x01, SPAN("12345"));
	put(&in, 0x80, SPAN("67890"));
	expect(&text_only, buf_span(&in), "text(1234567890) ");
	buf_reset(&in);
	put(&in, 0x01, SPAN("12345"));
	put(&in, 0x89, SPAN("control frames do not count"));
	put(&in, 0x80, SPAN("678901"));
	expect(&text_only, buf_span(&in), "ping(control frames do not count) fail(1009) ");
	buf_reset(&in);
	put(&in, 0x01, SPAN("1"));
	buf_append(&in, "\x80\xff\x7f\xff\xff\xff\xff\xff\xff\xff", 10);
	expect(&text_only, buf_span(&in), "fail(1009) ");
	buf_fini(&in);
}

/* Limits that shrink amid a message refuse its next fragment, and nothing overflows. */
static void
test_limit_shrinks(void **state)
{
	struct wsrecv ws = { 0 };
	struct buf in = { 0 }, out = { 0 };

	(void)state;
	put(&in, 0x01, SPAN("longer than ten bytes"));
	feed(&ws, &server, buf_span(&in), &out);
	buf_reset(&in);
	put(&in, 0x80, SPAN(""));
	feed(&ws, &text_only, buf_span(&in), &out);
	assert_span(buf_span(&out), "fail(1009) ");
	wsrecv_fini(&ws);
	buf_fini(&in);
	buf_fini(&out);
}

static void
test_fragment_limit(void **state)
{
	struct wsrecv_limits one = server;
	struct buf in = { 0 };

	(void)state;
	put(&in, 0x01, SPAN("a"));
	put(&in, 0x00, SPAN("b"));
	put(&in, 0x00, SPAN("c"));
	put(&in, 0x80, SPAN("d"));
	put(&in, 0x01, SPAN("a"));
	put(&in, 0x00, SPAN(""));
	put(&in, 0x00, SPAN(""));
	put(&in, 0x00, SPAN(""));
	put(&in, 0x80, SPAN(""));
	expect_put(&in, "text(abcd) fail(1009) ");
	one.max_fragments = 1;
	put(&in, 0x81, SPAN("whole"));
	put(&in, 0x01, SPAN("a"));
	buf_append_cstr(&in, "\x80");
	expect(&one, buf_span(&in), "text(whole) fail(1009) ");
	buf_fini(&in);
}

static void
test_binary_refused_at_its_first_byte(void **state)
{
	(void)state;
	expect(&text_only, SPAN("\x82"), "fail(1003) ");
	expect(&text_only, SPAN("\x02"), "fail(1003) ");
	expect(&text_only, SPAN("\xc2"), "fail(1002) ");
}

/* Invalid text fails at the byte that proves it, not at the end of frame or message. */
static void
test_text_fails_fast(void **state)
{
	static const struct {
		const char *bytes;
		bool fails; /* as the beginning of a longer frame */
	} cases[] = { { "\xff", true }, { "a\x80", true }, { "\xc0", true }, { "\xe2\x82", false },
		{ "\xed\xa0", true }, { "\xf4\x90", true }, { "\xf0\x9f\x98", false },
		{ "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0", true } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span bytes = span_cstr(cases[i].bytes);
		const char *expected = cases[i].fails ? "fail(1007) " : "";
		struct buf in = { 0 };

		put(&in, 0x81, SPAN("12345678901234567890123456789012345678901234567890"));
		memcpy(in.data + 6, bytes.p, bytes.n);
		frame_mask(in.data + 6, bytes.n, key, 0);
		expect(&server, span_make(in.data, 6 + bytes.n), expected);
		buf_reset(&in);
		put(&in, 0x01, bytes);
		expect(&server, buf_span(&in), expected);
		buf_reset(&in);
		put(&in, 0x81, bytes);
		expect(&server, buf_span(&in), "fail(1007) ");
		buf_fini(&in);
	}
}

/* A character may be cut by frames, and control frames may stand in the cut. */
static void
test_text_cut_within_characters(void **state)
{
	struct buf in = { 0 };

	(void)state;
	put(&in, 0x01, SPAN("\xf0"));
	put(&in, 0x89, SPAN("\xff\xff"));
	put(&in, 0x00, SPAN("\x9f\x98"));
	put(&in, 0x00, SPAN(""));
	put(&in, 0x80, SPAN("\x80"));
	expect_put(&in, "ping(\xff\xff) text(\xf0\x9f\x98\x80) ");
	put(&in, 0x01, SPAN("\xf0\x9f"));
	put(&in, 0x80, SPAN(""));
	expect_put(&in, "fail(1007) ");
	put(&in, 0x01, SPAN("\xf0"));
	put(&in, 0x80, SPAN("a"));
	expect_put(&in, "fail(1007) ");
	put(&in, 0x01, SPAN("ok"));
	put(&in, 0x80, SPAN(""));
	put(&in, 0x81, SPAN("\x80"));
	expect_put(&in, "text(ok) fail(1007) ");
}

static void
test_close_frames(void **state)
{
	static const struct {
		struct span body;
		const char *expected;
	} cases[] = {
		{ SPAN_INIT(""), "close(1005) " },
		{ SPAN_INIT("\x03\xe8"), "close(1000) " },
		{ SPAN_INIT("\x03\xe9going"), "close(1001 going) " },
		{ SPAN_INIT("\x03\xf6"), "close(1014) " },
		{ SPAN_INIT("\x0b\xb8"), "close(3000) " },
		{ SPAN_INIT("\x13\x87gr\xc3\xbc\xc3\x9f"), "close(4999 gr\xc3\xbc\xc3\x9f) " },
		{ SPAN_INIT("\x03"), "fail(1002) " },
		{ SPAN_INIT("\x00\x00"), "fail(1002) " },
		{ SPAN_INIT("\x03\xe7"), "fail(1002) " },
		{ SPAN_INIT("\x03\xec"), "fail(1002) " },
		{ SPAN_INIT("\x03\xed"), "fail(1002) " },
		{ SPAN_INIT("\x03\xee"), "fail(1002) " },
		{ SPAN_INIT("\x03\xf7"), "fail(1002) " },
		{ SPAN_INIT("\x07\xd0"), "fail(1002) " },
		{ SPAN_INIT("\x0b\xb7"), "fail(1002) " },
		{ SPAN_INIT("\x13\x88"), "fail(1002) " },
		{ SPAN_INIT("\xff\xff"), "fail(1002) " },
		{ SPAN_INIT("\x03\xe8\xff"), "fail(1007) " },
		{ SPAN_INIT("\x03\xe8"
			    "cut \xe2\x82"),
		    "fail(1007) " },
		{ SPAN_INIT("\x03\xed\xff"), "fail(1002) " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf in = { 0 };

		put(&in, 0x88, cases[i].body);
		put(&in, 0x81, SPAN("after the close"));
		buf_append_cstr(&in, "\xff\xff\xff");
		expect_put(&in, cases[i].expected);
	}
}

static void
test_nothing_after_a_failure(void **state)
{
	struct buf in = { 0 };

	(void)state;
	put(&in, 0x01, SPAN("begun"));
	put(&in, 0xf1, SPAN("bad"));
	put(&in, 0x81, SPAN("good"));
	put(&in, 0x88, SPAN(""));
	expect_put(&in, "fail(1002) ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_single_frames),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_control_frames_in_between),
		cmocka_unit_test(test_longest_control_frame),
		cmocka_unit_test(test_bad_first_bytes),
		cmocka_unit_test(test_order_of_fragments),
		cmocka_unit_test(test_masking_direction),
		cmocka_unit_test(test_length_encodings),
		cmocka_unit_test(test_message_limit_across_fragments),
		cmocka_unit_test(test_limit_shrinks),
		cmocka_unit_test(test_fragment_limit),
		cmocka_unit_test(test_binary_refused_at_its_first_byte),
		cmocka_unit_test(test_text_fails_fast),
		cmocka_unit_test(test_text_cut_within_characters),
		cmocka_unit_test(test_close_frames),
		cmocka_unit_test(test_nothing_after_a_failure),
	};

	return cmocka_run_group_tests(tests, open_guard, close_guard);
}
