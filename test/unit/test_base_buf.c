/*
 * The growing buffer: growth, sticky failure, handing out, giving back.
 */
#include "support_cmocka.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "support_alloc.h"

static void
test_zero_is_empty(void **state)
{
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(buf_span(&b).n, 0);
	assert_int_equal(buf_status(&b), 0);
	buf_consume(&b, 5);
	buf_append(&b, NULL, 0);
	buf_trim(&b, 0);
	assert_null(b.data);
	buf_fini(&b);
	buf_fini(&b);
}

static void
test_appends_stand_in_order(void **state)
{
	struct buf b = { 0 };

	(void)state;
	buf_append(&b, "a\0b", 3);
	buf_append_span(&b, SPAN("cd"));
	buf_append_cstr(&b, "ef");
	buf_append_byte(&b, 'g');
	buf_printf(&b, "%d-%s", 42, "x");
	assert_span(buf_span(&b), "a\0bcdefg42-x");
	buf_fini(&b);
}

static void
test_growth_is_geometric(void **state)
{
	struct buf b = { 0 };

	(void)state;
	support_alloc_fail_at(0);
	for (int i = 0; i < 1 << 20; i++)
		buf_append_byte(&b, (char)i);
	assert_int_equal(b.len, 1 << 20);
	assert_in_range(support_alloc_count(), 1, 20);
	for (int i = 0; i < 1 << 20; i++)
		assert_int_equal((unsigned char)b.data[i], i & 255);
	buf_fini(&b);
}

static void
test_exact_reservation(void **state)
{
	struct buf b = { 0 };

	(void)state;
	assert_true(buf_reserve(&b, 5000));
	assert_int_equal(b.cap, 5000);
	memset(b.data, 'x', 5000);
	b.len = 5000;
	assert_true(buf_reserve(&b, 0));
	assert_int_equal(b.cap, 5000);
	buf_fini(&b);
}

static void
test_printf_at_every_fill(void **state)
{
	(void)state;
	/* The text ends before, at and behind the end of the first block of 64 bytes. */
	for (size_t fill = 0; fill <= 70; fill++) {
		struct buf b = { 0 };

		for (size_t i = 0; i < fill; i++)
			buf_append_byte(&b, '.');
		buf_printf(&b, "%s", "hello");
		assert_int_equal(buf_status(&b), 0);
		assert_int_equal(b.len, fill + 5);
		assert_memory_equal(b.data + fill, "hello", 5);
		buf_fini(&b);
	}
}

static void
test_failure_sticks(void **state)
{
	struct buf b = { 0 };

	(void)state;
	buf_append_cstr(&b, "kept");
	support_alloc_fail_at(1);
	assert_false(buf_reserve(&b, 100));
	assert_int_equal(buf_status(&b), -ENOMEM);
	buf_append_byte(&b, 'x');
	buf_append_cstr(&b, "x");
	buf_printf(&b, "x");
	assert_false(buf_reserve(&b, 0));
	assert_span(buf_span(&b), "kept");
	buf_reset(&b);
	assert_int_equal(buf_status(&b), 0);
	buf_append_cstr(&b, "again");
	assert_span(buf_span(&b), "again");
	support_alloc_fail_at(0);
	buf_fini(&b);
}

static void
test_impossible_lengths_fail(void **state)
{
	struct buf b = { 0 };

	(void)state;
	buf_append_byte(&b, 'x');
	assert_false(buf_reserve(&b, SIZE_MAX));
	assert_span(buf_span(&b), "x");
	buf_reset(&b);
	buf_append_byte(&b, 'y');
	assert_false(buf_reserve(&b, SIZE_MAX / 2));
	buf_fini(&b);
	assert_int_equal(buf_status(&b), 0);
}

static void
test_consume(void **state)
{
	struct buf b = { 0 };

	(void)state;
	buf_append_cstr(&b, "abcdef");
	buf_consume(&b, 0);
	assert_span(buf_span(&b), "abcdef");
	buf_consume(&b, 2);
	assert_span(buf_span(&b), "cdef");
	buf_consume(&b, 4);
	assert_span(buf_span(&b), "");
	buf_append_cstr(&b, "xyz");
	buf_consume(&b, 99);
	assert_int_equal(b.len, 0);
	buf_fini(&b);
}

static void
test_trim_gives_memory_back(void **state)
{
	struct buf b = { 0 };

	(void)state;
	assert_true(buf_reserve(&b, 4096));
	buf_append_cstr(&b, "abc");
	buf_trim(&b, 4096);
	assert_int_equal(b.cap, 4096);
	support_alloc_fail_at(1);
	buf_trim(&b, 1024);
	assert_int_equal(b.cap, 4096);
	support_alloc_fail_at(0);
	buf_trim(&b, 1024);
	assert_int_equal(b.cap, 3);
	assert_span(buf_span(&b), "abc");
	buf_reset(&b);
	buf_trim(&b, 1);
	assert_null(b.data);
	assert_int_equal(b.cap, 0);
	buf_append_cstr(&b, "usable");
	assert_span(buf_span(&b), "usable");
	buf_fini(&b);
}

static void
test_steal(void **state)
{
	struct buf b = { 0 };
	size_t len = 99;
	char *text;

	(void)state;
	text = buf_steal(&b, &len);
	assert_string_equal(text, "");
	assert_int_equal(len, 0);
	mem_free(text);
	buf_append_cstr(&b, "abc");
	text = buf_steal(&b, NULL);
	assert_string_equal(text, "abc");
	assert_null(b.data);
	assert_int_equal(b.cap, 0);
	mem_free(text);
}

static void
test_steal_of_failed(void **state)
{
	struct buf b = { 0 };
	size_t len = 99;

	(void)state;
	assert_true(buf_reserve(&b, 4));
	/* Exactly full: the terminator needs one more byte. */
	while (b.len < b.cap)
		buf_append_byte(&b, 'x');
	support_alloc_fail_at(1);
	assert_null(buf_steal(&b, &len));
	assert_int_equal(len, 99);
	assert_null(b.data);
	assert_int_equal(buf_status(&b), 0);
	support_alloc_fail_at(0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zero_is_empty),
		cmocka_unit_test(test_appends_stand_in_order),
		cmocka_unit_test(test_growth_is_geometric),
		cmocka_unit_test(test_exact_reservation),
		cmocka_unit_test(test_printf_at_every_fill),
		cmocka_unit_test(test_failure_sticks),
		cmocka_unit_test(test_impossible_lengths_fail),
		cmocka_unit_test(test_consume),
		cmocka_unit_test(test_trim_gives_memory_back),
		cmocka_unit_test(test_steal),
		cmocka_unit_test(test_steal_of_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
