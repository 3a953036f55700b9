/*
 * Buckets: a second's worth at once, then as it comes back; no amount and no time makes one overflow.
 */
#include "support_cmocka.h"

#include "gateway/limits.h"

#define S UINT64_C(1000000000)

static void
a_second_at_once(void **state)
{
	struct limits_bucket bucket = { 0 };
	uint64_t now = 77 * S;

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(limits_take(&bucket, 10, 1, now), 0);
	assert_int_equal(limits_take(&bucket, 10, 1, now), 1);
	assert_int_equal(limits_take(&bucket, 10, 1, now + 1000000), 0);
	/* That one was owed: the next is due a tenth later. */
	assert_int_equal(limits_take(&bucket, 10, 1, now + 1000000), 100);
	assert_int_equal(limits_take(&bucket, 10, 1, now + 101000000), 0);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(limits_take(&bucket, 10, 1, now + 5 * S), 0);
	assert_int_not_equal(limits_take(&bucket, 10, 1, now + 5 * S), 0);
}

static void
more_than_it_holds(void **state)
{
	struct limits_bucket bucket = { 0 };

	(void)state;
	assert_int_equal(limits_take(&bucket, 1000, 5000, S), 0);
	assert_int_equal(limits_take(&bucket, 1000, 1, S), 4001);
	assert_int_equal(limits_take(&bucket, 1000, 1, 5 * S + 1000000), 0);
}

static void
no_limit(void **state)
{
	struct limits_bucket bucket = { 0 };

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(limits_take(&bucket, 0, UINT32_MAX, 0), 0);
}

static void
extremes(void **state)
{
	struct limits_bucket bucket = { 0 };

	(void)state;
	assert_int_equal(limits_take(&bucket, UINT64_C(1) << 40, UINT64_C(1) << 28, S), 0);
	assert_in_range(bucket.full_at_ns, S, S + 300000);
	bucket.full_at_ns = 0;
	assert_int_equal(limits_take(&bucket, 1, UINT64_C(1) << 28, S), 0);
	assert_int_equal(bucket.full_at_ns, S + (UINT64_C(1) << 28) * S);
	assert_true(limits_take(&bucket, 1, 1, S) > 0);
	/* A wait of so many milliseconds that their number has no room, nor may it come out as none. */
	assert_int_equal(limits_take(&bucket, 1, 1, S), UINT32_MAX);
	bucket.full_at_ns = (UINT64_C(1) << 32) * 1000000 + S;
	assert_int_equal(limits_take(&bucket, 1, 1, 1000000), UINT32_MAX);
}

static void
limits_have_labels(void **state)
{
	(void)state;
	for (unsigned i = 0; i < LIMIT_COUNT; i++)
		assert_non_null(limit_name((enum limit)i));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_at_once),
		cmocka_unit_test(more_than_it_holds),
		cmocka_unit_test(no_limit),
		cmocka_unit_test(extremes),
		cmocka_unit_test(limits_have_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
