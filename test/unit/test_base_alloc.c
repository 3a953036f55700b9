/*
 * Memory, random bytes and clocks: what of them can be tested.
 */
#include "support_cmocka.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/random.h"
#include "support_alloc.h"

static void
test_zero_bytes_are_memory_too(void **state)
{
	void *blocks[] = { mem_alloc(0), mem_zalloc(0), mem_array(0, 8), mem_array(8, 0),
		mem_resize(NULL, 0), mem_strndup(span_make(NULL, 0)) };

	(void)state;
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		assert_non_null(blocks[i]);
		mem_free(blocks[i]);
	}
}

static void
test_zeroed(void **state)
{
	static const char zeros[300];
	char *a = mem_zalloc(300), *b = mem_array(30, 10);

	(void)state;
	assert_memory_equal(a, zeros, 300);
	assert_memory_equal(b, zeros, 300);
	mem_free(a);
	mem_free(b);
}

static void
test_products_do_not_wrap(void **state)
{
	volatile size_t half = SIZE_MAX / 2 + 1;

	(void)state;
	assert_null(mem_array(half, 2));
	assert_null(mem_array(half, 4));
	assert_null(mem_strndup(span_make("x", SIZE_MAX)));
}

static void
test_copies_are_terminated(void **state)
{
	char *copy = mem_strndup(span_make("ab\0cdef", 5));

	(void)state;
	assert_memory_equal(copy, "ab\0cd\0", 6);
	mem_free(copy);
}

static void
test_hook_denies_each(void **state)
{
	char *block = mem_alloc(4);

	(void)state;
	memcpy(block, "abc", 4);
	support_alloc_fail_all();
	errno = 0;
	assert_null(mem_alloc(1));
	assert_int_equal(errno, ENOMEM);
	assert_null(mem_zalloc(1));
	assert_null(mem_array(1, 1));
	assert_null(mem_strndup(SPAN("x")));
	assert_null(mem_resize(block, 1000));
	assert_string_equal(block, "abc");
	support_alloc_fail_at(2);
	block = mem_resize(block, 1000);
	assert_string_equal(block, "abc");
	assert_null(mem_alloc(1));
	errno = 1234;
	mem_free(block);
	mem_free(NULL);
	assert_int_equal(errno, 1234);
	support_alloc_fail_at(0);
}

static void
test_random_fills_all(void **state)
{
	unsigned char seen[40] = { 0 }, bytes[40];

	(void)state;
	/* A byte that stays 0 in 16 rounds was never written: chance 2^-128 each. */
	for (int round = 0; round < 16; round++) {
		memset(bytes, 0, sizeof(bytes));
		assert_int_equal(random_bytes(bytes, sizeof(bytes)), 0);
		for (size_t i = 0; i < sizeof(bytes); i++)
			seen[i] |= bytes[i];
	}
	for (size_t i = 0; i < sizeof(seen); i++)
		assert_int_not_equal(seen[i], 0);
	assert_int_equal(random_bytes(bytes, 0), 0);
}

static void
test_clocks_agree(void **state)
{
	uint64_t ns = clock_mono_ns(), ms = clock_mono_ms(), again = clock_mono_ns();

	(void)state;
	assert_in_range(ms, ns / 1000000, again / 1000000);
	/* Between 2020 and 2200: so the unit is right. */
	assert_in_range(clock_real_ms(), UINT64_C(1577836800000), UINT64_C(7258118400000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zero_bytes_are_memory_too),
		cmocka_unit_test(test_zeroed),
		cmocka_unit_test(test_products_do_not_wrap),
		cmocka_unit_test(test_copies_are_terminated),
		cmocka_unit_test(test_hook_denies_each),
		cmocka_unit_test(test_random_fills_all),
		cmocka_unit_test(test_clocks_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
