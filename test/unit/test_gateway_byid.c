/*
 * Links found by id, also where many share a bucket.
 */
#include "support_cmocka.h"

#include "gateway/byid.h"

enum { COUNT = 6, STEP = BYID_BUCKETS };

static void
test_a_bucket_of_many(void **state)
{
	static struct byid table;
	struct byid_link links[COUNT] = { 0 };

	(void)state;
	for (uint32_t i = 0; i < COUNT; i++)
		byid_add(&table, &links[i], 5 + i * STEP);
	for (uint32_t i = 0; i < COUNT; i++)
		assert_ptr_equal(byid_find(&table, 5 + i * STEP), &links[i]);
	assert_null(byid_find(&table, 5 + COUNT * STEP));
	assert_null(byid_find(&table, 6));
	/* From its middle, its head and its end; twice does nothing. */
	for (unsigned i = 0; i < COUNT; i++) {
		static const unsigned order[COUNT] = { 3, 5, 0, 1, 4, 2 };

		byid_remove(&table, &links[order[i]]);
		byid_remove(&table, &links[order[i]]);
		assert_null(byid_find(&table, 5 + order[i] * STEP));
		for (unsigned j = i + 1; j < COUNT; j++)
			assert_ptr_equal(byid_find(&table, 5 + order[j] * STEP), &links[order[j]]);
	}
}

static void
test_nobody_is_found_under_zero(void **state)
{
	static struct byid table;
	struct byid_link link = { 0 };

	(void)state;
	assert_null(byid_find(&table, 0));
	byid_remove(&table, &link);
	byid_add(&table, &link, BYID_BUCKETS);
	assert_null(byid_find(&table, 0));
	assert_ptr_equal(byid_find(&table, BYID_BUCKETS), &link);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_bucket_of_many),
		cmocka_unit_test(test_nobody_is_found_under_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
