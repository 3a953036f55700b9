/*
 * Numbers in and out of text: parse, digits, hexadecimal; and spans, whose comparisons they share.
 */
#include "support_cmocka.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/digits.h"
#include "base/parse.h"

static void
assert_u64(const char *text, uint64_t max, int status, uint64_t value)
{
	uint64_t got = 4711;

	assert_int_equal(parse_u64(span_cstr(text), max, &got), status);
	assert_true(got == (status == 0 ? value : 4711));
}

static void
assert_i64(const char *text, int64_t min, int64_t max, int status, int64_t value)
{
	int64_t got = 4711;

	assert_int_equal(parse_i64(span_cstr(text), min, max, &got), status);
	assert_true(got == (status == 0 ? value : 4711));
}

static void
test_unsigned(void **state)
{
	(void)state;
	assert_u64("0", 0, 0, 0);
	assert_u64("007", 7, 0, 7);
	assert_u64("18446744073709551615", UINT64_MAX, 0, UINT64_MAX);
	assert_u64("18446744073709551616", UINT64_MAX, -ERANGE, 0);
	assert_u64("28446744073709551615", UINT64_MAX, -ERANGE, 0);
	assert_u64("99999999999999999999999", UINT64_MAX, -ERANGE, 0);
	assert_u64("65536", 65535, -ERANGE, 0);
	assert_u64("65535", 65535, 0, 65535);
	assert_u64("00000000000000000000000000001", 1, 0, 1);
}

static void
test_unsigned_refuses(void **state)
{
	static const char *const bad[] = { "", "+1", "-1", " 1", "1 ", "1.0", "0x1", "a", "1e3",
		"/", ":", "99999999999999999999999x" };
	uint64_t got = 4711;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_u64(bad[i], UINT64_MAX, -EINVAL, 0);
	assert_int_equal(parse_u64(SPAN("1\0"), 9, &got), -EINVAL);
	assert_int_equal(parse_u64(span_make(NULL, 0), 9, &got), -EINVAL);
}

static void
test_signed(void **state)
{
	(void)state;
	assert_i64("-0", 0, 0, 0, 0);
	assert_i64("9223372036854775807", INT64_MIN, INT64_MAX, 0, INT64_MAX);
	assert_i64("9223372036854775808", INT64_MIN, INT64_MAX, -ERANGE, 0);
	assert_i64("-9223372036854775808", INT64_MIN, INT64_MAX, 0, INT64_MIN);
	assert_i64("-9223372036854775809", INT64_MIN, INT64_MAX, -ERANGE, 0);
	assert_i64("-5", -5, 5, 0, -5);
	assert_i64("-6", -5, 5, -ERANGE, 0);
	assert_i64("6", -5, 5, -ERANGE, 0);
	assert_i64("-", -5, 5, -EINVAL, 0);
	assert_i64("--1", -5, 5, -EINVAL, 0);
	assert_i64("", -5, 5, -EINVAL, 0);
}

static void
test_hexadecimal(void **state)
{
	uint64_t got = 0;
	char out[9] = "";

	(void)state;
	assert_int_equal(parse_hex_u64(SPAN("9f1c2aB4"), UINT32_MAX, &got), 0);
	assert_true(got == 0x9f1c2ab4);
	assert_int_equal(parse_hex_u64(SPAN("ffffffffffffffff"), UINT64_MAX, &got), 0);
	assert_true(got == UINT64_MAX);
	assert_int_equal(parse_hex_u64(SPAN("10000000000000000"), UINT64_MAX, &got), -ERANGE);
	assert_int_equal(parse_hex_u64(SPAN("1g"), UINT64_MAX, &got), -EINVAL);
	assert_int_equal(parse_hex_u64(SPAN("100"), 0xff, &got), -ERANGE);
	hex_write(out, "\x00\x7f\x80\xff", 4);
	assert_string_equal(out, "007f80ff");
	assert_int_equal(hex_digit_value('f'), 15);
	assert_int_equal(hex_digit_value('F'), 15);
	assert_int_equal(hex_digit_value('g'), -1);
	assert_int_equal(hex_digit_value('\xff'), -1);
}

static void
assert_digits(uint64_t value)
{
	char expected[32], got[32] = "";

	snprintf(expected, sizeof(expected), "%" PRIu64, value);
	assert_int_equal(digits_decimal_width(value), strlen(expected));
	digits_put_decimal(got, digits_decimal_width(value), value);
	assert_string_equal(got, expected);
	memset(got, 0, sizeof(got));
	snprintf(expected, sizeof(expected), "%" PRIx64, value);
	assert_int_equal(digits_hex_width(value), strlen(expected));
	digits_put_hex(got, digits_hex_width(value), value);
	assert_string_equal(got, expected);
}

static void
test_digits_around_every_power(void **state)
{
	(void)state;
	assert_digits(0);
	for (uint64_t power = 1; power <= UINT64_MAX / 10; power *= 10) {
		assert_digits(power);
		assert_digits(power - 1);
		assert_digits(power * 10 - 1);
	}
	for (unsigned bit = 0; bit < 64; bit++) {
		assert_digits(UINT64_C(1) << bit);
		assert_digits((UINT64_C(1) << bit) - 1);
	}
	assert_digits(UINT64_MAX);
}

static void
test_digits_keep_to_their_width(void **state)
{
	char out[10];

	(void)state;
	memset(out, '.', sizeof(out));
	digits_put_decimal(out + 2, 5, 42);
	assert_memory_equal(out, "..00042...", 10);
	digits_put_decimal(out + 2, 5, 1234567);
	assert_memory_equal(out, "..34567...", 10);
	digits_put_hex(out + 1, 8, 0x42a);
	assert_memory_equal(out, ".0000042a.", 10);
	digits_put_decimal(out, 0, 7);
	assert_memory_equal(out, ".0000042a.", 10);
}

static void
test_spans(void **state)
{
	(void)state;
	assert_true(span_is(SPAN("abc"), "abc"));
	assert_false(span_is(SPAN("abc"), "ab"));
	assert_false(span_is(SPAN("ab\0"), "ab"));
	assert_true(span_is_equal(span_make(NULL, 0), SPAN("")));
	assert_true(span_has_prefix(SPAN("abc"), SPAN("ab")));
	assert_true(span_has_prefix(SPAN("abc"), span_make(NULL, 0)));
	assert_false(span_has_prefix(SPAN("ab"), SPAN("abc")));
	assert_true(span_compare(SPAN("a"), SPAN("ab")) < 0);
	assert_true(span_compare(SPAN("b"), SPAN("ab")) > 0);
	assert_true(span_compare(SPAN("\x7f"), SPAN("\x80")) < 0);
	assert_int_equal(span_compare(span_make(NULL, 0), SPAN("")), 0);
	assert_int_equal(span_cstr(NULL).n, 0);
	assert_span(span_skip(SPAN("abc"), 1), "bc");
}

static void
test_spans_are_trimmed(void **state)
{
	(void)state;
	assert_span(span_trim(SPAN(" \t a b\t ")), "a b");
	assert_span(span_trim(SPAN("a\r")), "a\r");
	assert_int_equal(span_trim(SPAN("\t \t")).n, 0);
	assert_int_equal(span_trim(span_make(NULL, 0)).n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unsigned),
		cmocka_unit_test(test_unsigned_refuses),
		cmocka_unit_test(test_signed),
		cmocka_unit_test(test_hexadecimal),
		cmocka_unit_test(test_digits_around_every_power),
		cmocka_unit_test(test_digits_keep_to_their_width),
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_spans_are_trimmed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
