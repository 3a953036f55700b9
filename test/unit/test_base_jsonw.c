/*
 * Writing JSON: commas, escapes, numbers, broken UTF-8; and the reading of UTF-8 under it, compared
 * with a slower decoder over all short inputs.
 */
#include "support_cmocka.h"

#include <errno.h>
#include <string.h>

#include "base/jsonw.h"
#include "base/text.h"
#include "support_alloc.h"

#define FFFD "\xef\xbf\xbd"

static void
test_commas(void **state)
{
	struct buf out = { 0 };
	struct jsonw w;

	(void)state;
	jsonw_init(&w, &out);
	jsonw_object(&w);
	jsonw_key(&w, "a");
	jsonw_array(&w);
	jsonw_array_end(&w);
	jsonw_key(&w, "b");
	jsonw_object(&w);
	jsonw_object_end(&w);
	jsonw_key(&w, "c");
	jsonw_array(&w);
	jsonw_int(&w, -1);
	jsonw_bool(&w, true);
	jsonw_bool(&w, false);
	jsonw_null(&w);
	jsonw_cstr(&w, "x");
	jsonw_cstr(&w, NULL);
	jsonw_array(&w);
	jsonw_object(&w);
	jsonw_object_end(&w);
	jsonw_array_end(&w);
	jsonw_raw(&w, SPAN("1e300"));
	jsonw_array_end(&w);
	jsonw_key_span(&w, SPAN("d\""));
	jsonw_uint(&w, 7);
	jsonw_object_end(&w);
	assert_span(buf_span(&out),
	    "{\"a\":[],\"b\":{},\"c\":[-1,true,false,null,\"x\",null,[{}],1e300],"
	    "\"d\\\"\":7}");
	buf_fini(&out);
}

static void
test_numbers(void **state)
{
	struct buf out = { 0 };
	struct jsonw w;

	(void)state;
	jsonw_init(&w, &out);
	jsonw_array(&w);
	jsonw_int(&w, INT64_MIN);
	jsonw_int(&w, INT64_MAX);
	jsonw_int(&w, 0);
	jsonw_uint(&w, UINT64_MAX);
	jsonw_uint(&w, 0);
	jsonw_array_end(&w);
	assert_span(
	    buf_span(&out), "[-9223372036854775808,9223372036854775807,0,18446744073709551615,0]");
	buf_fini(&out);
}

static void
assert_escaped_span(struct span text, struct span expected)
{
	struct buf out = { 0 };

	jsonw_escape(&out, text);
	support_assert_span(buf_span(&out), expected, __FILE__, __LINE__);
	buf_fini(&out);
}

#define assert_escaped(text, expected) assert_escaped_span(SPAN(text), SPAN(expected))

static void
test_escapes(void **state)
{
	(void)state;
	assert_escaped("", "");
	assert_escaped("plain /text", "plain /text");
	assert_escaped("\"\\\b\f\n\r\t", "\\\"\\\\\\b\\f\\n\\r\\t");
	assert_escaped("\0\x01\x1f\x7f", "\\u0000\\u0001\\u001f\x7f");
	assert_escaped("a\"b", "a\\\"b");
	assert_escaped(
	    "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
}

static void
test_broken_utf8_is_replaced(void **state)
{
	(void)state;
	assert_escaped("\x80", FFFD);
	assert_escaped("a\xff"
		       "b",
	    "a" FFFD "b");
	assert_escaped("\xc0\xaf", FFFD FFFD);
	assert_escaped("\xed\xa0\x80", FFFD FFFD FFFD);
	assert_escaped("\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD);
	assert_escaped("\xe2\x82", FFFD);
	assert_escaped("\xe2\x82"
		       "A",
	    FFFD "A");
	assert_escaped("\xf0\x9f\x98\"", FFFD "\\\"");
	assert_escaped("\xf0\x9f\x98\xf0\x9f\x98\x80", FFFD "\xf0\x9f\x98\x80");
	/* The example of the Unicode standard, table 3-8. */
	assert_escaped("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", FFFD FFFD FFFD FFFD "\x41");
}

static void
test_plain_ends_at_each_special_byte(void **state)
{
	char text[24];

	(void)state;
	for (int byte = 0; byte < 256; byte++) {
		bool is_plain = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';

		for (size_t at = 0; at < sizeof(text); at++) {
			memset(text, byte % 2 == 0 ? 'a' : ' ', sizeof(text));
			text[at] = (char)byte;
			assert_int_equal(text_json_plain(span_make(text, sizeof(text))),
			    is_plain ? sizeof(text) : at);
		}
	}
}

/* Decodes by the arithmetic of the definition rather than by bounds; -1: not a character. */
static int
slow_length(const unsigned char *p, size_t n)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length = p[0] < 0x80	  ? 1
			: p[0] >> 5 == 6  ? 2
			: p[0] >> 4 == 14 ? 3
			: p[0] >> 3 == 30 ? 4
					  : 0;
	uint32_t code;

	if (length < 2)
		return length == 1 ? 1 : -1;
	if (length > n)
		return -1;
	code = p[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if (p[i] >> 6 != 2)
			return -1;
		code = code << 6 | (p[i] & 0x3fu);
	}
	if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return -1;
	return (int)length;
}

static void
compare_with_slow(const unsigned char *p, size_t n)
{
	bool is_valid;
	size_t length = text_character(span_make((const char *)p, n), &is_valid);
	int expected = slow_length(p, n);

	if (is_valid != (expected > 0) || length < 1 || length > n ||
	    (is_valid && length != (size_t)expected))
		fail_msg("%02x %02x %02x %02x, %zu bytes", p[0], p[1], p[2], p[3], n);
}

static void
test_characters_as_defined(void **state)
{
	static const unsigned char edges[] = { 0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
		0xc0, 0xff };
	unsigned char p[4] = { 0 };

	(void)state;
	for (unsigned pair = 0; pair < 0x10000; pair++) {
		p[0] = (unsigned char)(pair >> 8);
		p[1] = (unsigned char)pair;
		for (size_t i = 0; i < sizeof(edges) * sizeof(edges); i++) {
			p[2] = edges[i / sizeof(edges)];
			p[3] = edges[i % sizeof(edges)];
			compare_with_slow(p, 4);
		}
		for (size_t n = 1; n < 4; n++)
			compare_with_slow(p, n);
	}
}

static void
test_cut(void **state)
{
	(void)state;
	assert_span(text_cut(SPAN("abc"), 3), "abc");
	assert_span(text_cut(SPAN("abc"), 2), "ab");
	assert_span(text_cut(SPAN("abc"), 0), "");
	assert_span(text_cut(SPAN("a\xe2\x82\xac"
				  "b"),
			4),
	    "a\xe2\x82\xac");
	assert_span(text_cut(SPAN("a\xe2\x82\xac"
				  "b"),
			3),
	    "a");
	assert_span(text_cut(SPAN("\xf0\x9f\x98\x80"), 3), "");
	assert_span(text_cut(SPAN("\x80\x80\x80\x80"), 3), "");
}

static void
attempt_write(void *arg)
{
	struct buf out = { 0 };
	struct jsonw w;

	(void)arg;
	jsonw_init(&w, &out);
	jsonw_array(&w);
	for (int i = 0; i < 50; i++) {
		jsonw_cstr(&w, "some \"text\"");
		jsonw_uint(&w, 12345678901234);
	}
	jsonw_array_end(&w);
	if (buf_status(&out) == 0)
		assert_int_equal(out.len, 50 * (15 + 1 + 14 + 1) + 1);
	else
		assert_int_equal(buf_status(&out), -ENOMEM);
	buf_fini(&out);
}

static void
test_failure_shows_at_the_end(void **state)
{
	(void)state;
	/* 64, 128, 256, 512, 1024, 2048 bytes. */
	assert_int_equal(support_alloc_try_each(attempt_write, NULL), 6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commas),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_broken_utf8_is_replaced),
		cmocka_unit_test(test_plain_ends_at_each_special_byte),
		cmocka_unit_test(test_characters_as_defined),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_failure_shows_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
