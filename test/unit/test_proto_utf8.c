/*
 * UTF-8 as RFC 3629 defines it: every code point, every pair and triple of bytes against a decoder
 * written from the definition, and every way of cutting a text.
 */
#include "support_cmocka.h"

#include <string.h>

#include "proto/utf8.h"
#include "support_guard.h"

/* What the definition says: decodes whole code points and looks at their value. */
static bool
reference_is_valid(const uint8_t *p, size_t n)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };

	for (size_t i = 0; i < n;) {
		size_t more = p[i] < 0x80 ? 0 : p[i] >> 5 == 6 ? 1 : p[i] >> 4 == 14 ? 2 : 3;
		uint32_t value = p[i] & (more == 0 ? 0x7fU : 0x3fU >> more);

		if ((p[i] >= 0x80 && p[i] < 0xc0) || p[i] >= 0xf8 || i + more >= n)
			return false;
		for (size_t k = 1; k <= more; k++) {
			if (p[i + k] >> 6 != 2)
				return false;
			value = value << 6 | (p[i + k] & 0x3fU);
		}
		if (value < least[more] || value > 0x10ffff || value >> 11 == 0xd800 >> 11)
			return false;
		i += more + 1;
	}
	return true;
}

static bool
is_valid_bytewise(struct span text)
{
	struct utf8 utf8;

	utf8_init(&utf8);
	for (size_t i = 0; i < text.n; i++)
		if (!utf8_feed(&utf8, text.p + i, 1))
			return false;
	return utf8_is_complete(&utf8);
}

static void
expect_as_reference(const uint8_t *bytes, size_t n)
{
	struct span text = span_make((const char *)bytes, n);
	bool expected = reference_is_valid(bytes, n);

	if (utf8_is_valid(text) != expected || is_valid_bytewise(text) != expected)
		fail_msg("wrong about %02x %02x %02x %02x (%zu)", bytes[0], bytes[1], bytes[2],
		    bytes[3], n);
}

static void
test_all_short_sequences(void **state)
{
	uint8_t b[4] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 1 << 24; i++) {
		b[0] = (uint8_t)i;
		b[1] = (uint8_t)(i >> 8);
		b[2] = (uint8_t)(i >> 16);
		expect_as_reference(b, 3);
		if (i < 1 << 16)
			expect_as_reference(b, 2);
		if (i < 1 << 8)
			expect_as_reference(b, 1);
	}
}

static void
test_four_byte_sequences(void **state)
{
	static const uint8_t edges[] = { 0x00, 0x41, 0x7f, 0x80, 0x81, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
		0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xf8, 0xff };
	const size_t count = sizeof(edges);
	uint8_t b[4];

	(void)state;
	for (size_t i = 0; i < 256 * count * count * count; i++) {
		b[0] = (uint8_t)(i % 256);
		b[1] = edges[i / 256 % count];
		b[2] = edges[i / 256 / count % count];
		b[3] = edges[i / 256 / count / count];
		expect_as_reference(b, 4);
	}
}

static size_t
encode(uint32_t value, char *out)
{
	if (value < 0x80) {
		out[0] = (char)value;
		return 1;
	}
	if (value < 0x800) {
		out[0] = (char)(0xc0 | value >> 6);
		out[1] = (char)(0x80 | (value & 0x3f));
		return 2;
	}
	if (value < 0x10000) {
		out[0] = (char)(0xe0 | value >> 12);
		out[1] = (char)(0x80 | (value >> 6 & 0x3f));
		out[2] = (char)(0x80 | (value & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | value >> 18);
	out[1] = (char)(0x80 | (value >> 12 & 0x3f));
	out[2] = (char)(0x80 | (value >> 6 & 0x3f));
	out[3] = (char)(0x80 | (value & 0x3f));
	return 4;
}

static void
test_every_code_point(void **state)
{
	char text[4];

	(void)state;
	for (uint32_t value = 0; value <= 0x110000; value++) {
		bool expected = value <= 0x10ffff && (value < 0xd800 || value > 0xdfff);

		assert_int_equal(utf8_is_valid(span_make(text, encode(value, text))), expected);
	}
}

/* A fault is told at its byte, not at the end of the sequence. */
static void
test_fails_at_the_first_bad_byte(void **state)
{
	static const struct {
		const char *text;
		size_t good; /* bytes that may be fed before it fails */
	} cases[] = {
		{ "\x80", 0 },
		{ "\xbf", 0 },
		{ "\xc0\x80", 0 },
		{ "\xc1\xbf", 0 },
		{ "\xe0\x9f\xbf", 1 },
		{ "\xed\xa0\x80", 1 },
		{ "\xed\xbf\xbf", 1 },
		{ "\xf0\x8f\xbf\xbf", 1 },
		{ "\xf4\x90\x80\x80", 1 },
		{ "\xf5\x80\x80\x80", 0 },
		{ "\xff", 0 },
		{ "a\xc3"
		  "b",
		    2 },
		{ "\xe2\x82"
		  "a",
		    2 },
		{ "\xf0\x9f\x98"
		  "a",
		    3 },
		{ "\xf0\x9f\x98\x80\x80", 4 },
		{ "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90", 12 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct utf8 utf8 = { 0 };
		size_t good = 0;

		while (utf8_feed(&utf8, cases[i].text + good, 1))
			good++;
		assert_int_equal(good, cases[i].good);
		utf8_init(&utf8);
		assert_true(utf8_feed(&utf8, cases[i].text, good));
		assert_false(utf8_feed(&utf8, cases[i].text + good, 1));
		assert_false(utf8_is_valid(span_cstr(cases[i].text)));
	}
}

/* Long texts pass through the fast path, at every alignment of its end, cut in two everywhere. */
static void
test_fast_path_and_cuts(void **state)
{
	static const char unit[] =
	    "plain ASCII, gr\xc3\xbc\xc3\x9f, \xe2\x82\xac, \xf0\x9f\x98\x80; ";
	struct guard guard;
	char text[256];

	(void)state;
	support_guard_init(&guard, sizeof(text));
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 200 < 100 ? 'x' : unit[i % 200 % (sizeof(unit) - 1)];
	for (size_t n = 0; n <= sizeof(text); n++) {
		const char *p = support_guard_put(&guard, span_make(text, n));
		bool expected = reference_is_valid((const uint8_t *)text, n);

		assert_int_equal(utf8_is_valid(span_make(p, n)), expected);
		for (size_t cut = 0; cut <= n; cut++) {
			struct utf8 utf8 = { 0 };
			bool good = utf8_feed(&utf8, p, cut) && utf8_feed(&utf8, p + cut, n - cut);

			assert_int_equal(good && utf8_is_complete(&utf8), expected);
		}
	}
	support_guard_fini(&guard);
}

/* One bad byte anywhere in long ASCII is found. */
static void
test_bad_byte_in_long_ascii(void **state)
{
	char text[100];

	(void)state;
	for (size_t n = 1; n <= sizeof(text); n++) {
		for (size_t at = 0; at < n; at++) {
			memset(text, 'a', sizeof(text));
			text[at] = (char)0xff;
			assert_false(utf8_is_valid(span_make(text, n)));
		}
	}
}

static void
test_empty(void **state)
{
	struct utf8 utf8 = { 0 };

	(void)state;
	assert_true(utf8_feed(&utf8, NULL, 0));
	assert_true(utf8_is_complete(&utf8));
	assert_true(utf8_is_valid(span_make(NULL, 0)));
	assert_true(utf8_feed(&utf8, "\xe2", 1));
	assert_true(utf8_feed(&utf8, NULL, 0));
	assert_false(utf8_is_complete(&utf8));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_every_code_point),
		cmocka_unit_test(test_all_short_sequences),
		cmocka_unit_test(test_four_byte_sequences),
		cmocka_unit_test(test_fails_at_the_first_bad_byte),
		cmocka_unit_test(test_fast_path_and_cuts),
		cmocka_unit_test(test_bad_byte_in_long_ascii),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
