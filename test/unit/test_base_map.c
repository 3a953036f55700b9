/*
 * The hash map against a plain array as its model, its memory, and the hash under it.
 */
#include "support_cmocka.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "base/siphash.h"
#include "support_alloc.h"

enum { MODEL_SIZE = 3000 };

static int values[MODEL_SIZE];

static struct span
key_of(int i, char out[16])
{
	return span_make(out, (size_t)snprintf(out, 16, "key-%d", i));
}

static void
fill(struct map *m, int count)
{
	char store[16];

	for (int i = 0; i < count; i++)
		assert_int_equal(map_put(m, key_of(i, store), &values[i]), 0);
}

static void
test_hash_known_answers(void **state)
{
	/* Computed by another implementation: bytes 0, 1, 2, … of each length under the key 0. */
	static const struct {
		size_t n;
		uint64_t hash;
	} answers[] = {
		{ 1, 0x68a914128e01e473 },
		{ 2, 0x010bac45c41e3669 },
		{ 7, 0x2f098ab0c751325a },
		{ 8, 0xead411e67ebe2eea },
		{ 9, 0x75927f9d95124362 },
		{ 15, 0xf30eb725bb91c9ea },
		{ 16, 0x8972188433a5c5b7 },
		{ 17, 0x4883c49a2c009c1d },
		{ 63, 0x385d3e39e5f37359 },
	};
	const struct siphash_key zero = { 0 };
	const struct siphash_key other = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
	char bytes[64];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)i;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		assert_true(siphash(&zero, span_make(bytes, answers[i].n)) == answers[i].hash);
	assert_true(siphash(&other, span_make(NULL, 0)) == 0xabac0158050fc4dc);
}

static void
test_put_get_remove(void **state)
{
	struct map *m = map_new();
	int a, b;

	(void)state;
	assert_null(map_get(m, SPAN("a")));
	assert_int_equal(map_put(m, SPAN("a"), &a), 0);
	assert_int_equal(map_put(m, SPAN("a"), &b), -EEXIST);
	assert_ptr_equal(map_get(m, SPAN("a")), &a);
	assert_int_equal(map_count(m), 1);
	assert_ptr_equal(map_remove(m, SPAN("a")), &a);
	assert_null(map_remove(m, SPAN("a")));
	assert_int_equal(map_count(m), 0);
	assert_int_equal(map_put(m, SPAN("a"), &b), 0);
	assert_ptr_equal(map_get(m, SPAN("a")), &b);
	map_free(m);
	map_free(NULL);
}

static void
test_keys_are_bytes_and_copied(void **state)
{
	struct map *m = map_new();
	char key[] = "x\0y";
	int a, b, c;

	(void)state;
	assert_int_equal(map_put(m, span_make(key, 3), &a), 0);
	assert_int_equal(map_put(m, SPAN("x"), &b), 0);
	assert_int_equal(map_put(m, span_make(NULL, 0), &c), 0);
	memset(key, 'z', sizeof(key));
	assert_ptr_equal(map_get(m, SPAN("x\0y")), &a);
	assert_ptr_equal(map_get(m, SPAN("x")), &b);
	assert_ptr_equal(map_get(m, SPAN("")), &c);
	assert_null(map_get(m, SPAN("x\0z")));
	map_free(m);
}

static void
test_many(void **state)
{
	struct map *m = map_new();
	char store[16];

	(void)state;
	fill(m, MODEL_SIZE);
	assert_int_equal(map_count(m), MODEL_SIZE);
	for (int i = 0; i < MODEL_SIZE; i += 2)
		assert_ptr_equal(map_remove(m, key_of(i, store)), &values[i]);
	for (int i = 0; i < MODEL_SIZE; i++)
		assert_ptr_equal(map_get(m, key_of(i, store)), i % 2 == 0 ? NULL : &values[i]);
	for (int i = 1; i < MODEL_SIZE; i += 2)
		assert_ptr_equal(map_remove(m, key_of(i, store)), &values[i]);
	assert_int_equal(map_count(m), 0);
	map_free(m);
}

struct walk {
	struct map *map;
	int seen[MODEL_SIZE];
	int visits, stop_after;
	bool removes;
};

static bool
on_entry(struct span key, void *value, void *arg)
{
	struct walk *walk = arg;
	char store[16];
	int i = (int)((int *)value - values);

	assert_true(span_is_equal(key, key_of(i, store)));
	walk->seen[i]++;
	walk->visits++;
	if (walk->removes)
		assert_ptr_equal(map_remove(walk->map, key), value);
	return walk->visits != walk->stop_after;
}

static void
test_walk_sees_each_once(void **state)
{
	static struct walk walk;

	(void)state;
	walk = (struct walk){ .map = map_new() };
	fill(walk.map, 100);
	map_each(walk.map, on_entry, &walk);
	assert_int_equal(walk.visits, 100);
	for (int i = 0; i < 100; i++)
		assert_int_equal(walk.seen[i], 1);
	walk.visits = 0;
	walk.stop_after = 7;
	map_each(walk.map, on_entry, &walk);
	assert_int_equal(walk.visits, 7);
	map_free(walk.map);
}

static void
test_walk_may_remove_what_it_stands_on(void **state)
{
	static struct walk walk;

	(void)state;
	walk = (struct walk){ .map = map_new(), .removes = true };
	fill(walk.map, MODEL_SIZE);
	map_each(walk.map, on_entry, &walk);
	assert_int_equal(walk.visits, MODEL_SIZE);
	assert_int_equal(map_count(walk.map), 0);
	/* The table is usable, and is back in its first size: growing to 9 takes one table. */
	support_alloc_fail_at(0);
	fill(walk.map, 9);
	assert_int_equal(support_alloc_count(), 9 + 1);
	map_free(walk.map);
}

static void
attempt_fill(void *arg)
{
	struct map *m = map_new();
	char store[16];
	size_t entered = 0;

	(void)arg;
	if (m == NULL)
		return;
	for (int i = 0; i < 40; i++) {
		int r = map_put(m, key_of(i, store), &values[i]);

		assert_true(r == 0 || r == -ENOMEM);
		assert_ptr_equal(map_get(m, key_of(i, store)), r == 0 ? &values[i] : NULL);
		entered += r == 0;
	}
	assert_int_equal(map_count(m), entered);
	assert_true(entered >= 39);
	map_free(m);
}

static void
test_every_failed_allocation_is_survived(void **state)
{
	(void)state;
	/* The map, 40 entries, and tables of 16, 32 and 64. */
	assert_int_equal(support_alloc_try_each(attempt_fill, NULL), 1 + 40 + 3);
}

static void
test_serves_without_memory_for_a_larger_table(void **state)
{
	struct map *m = map_new();
	char store[16];

	(void)state;
	fill(m, 8);
	/* The ninth entry is allocated, then the table can not grow. */
	support_alloc_fail_at(2);
	assert_int_equal(map_put(m, key_of(8, store), &values[8]), 0);
	support_alloc_fail_at(0);
	for (int i = 0; i < 9; i++)
		assert_ptr_equal(map_get(m, key_of(i, store)), &values[i]);
	map_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash_known_answers),
		cmocka_unit_test(test_put_get_remove),
		cmocka_unit_test(test_keys_are_bytes_and_copied),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_walk_sees_each_once),
		cmocka_unit_test(test_walk_may_remove_what_it_stands_on),
		cmocka_unit_test(test_every_failed_allocation_is_survived),
		cmocka_unit_test(test_serves_without_memory_for_a_larger_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
