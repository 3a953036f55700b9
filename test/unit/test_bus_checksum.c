/*
 * The checksum: notices what it must, and can be mended.
 */
#include "support_cmocka.h"

#include <string.h>

#include "base/macros.h"
#include "bus/checksum.h"
#include "support_children.h"
#include "support_guard.h"

enum { LEN_MAX = 70 };

static void
fill(char *bytes, size_t len, uint64_t *seed)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)support_random(seed);
}

static void
test_every_change_of_a_byte_is_noticed(void **state)
{
	char bytes[LEN_MAX];
	uint64_t seed = 1;

	(void)state;
	for (size_t len = 1; len <= LEN_MAX; len++) {
		uint64_t sum;

		fill(bytes, len, &seed);
		sum = checksum_bytes(bytes, len, 3);
		for (size_t i = 0; i < 8 * len; i++) {
			bytes[i / 8] ^= (char)(1 << i % 8);
			assert_true(checksum_bytes(bytes, len, 3) != sum);
			bytes[i / 8] ^= (char)(1 << i % 8);
		}
		assert_true(checksum_bytes(bytes, len, 3) == sum);
	}
}

static void
test_words_that_change_places_are_noticed(void **state)
{
	char bytes[64];
	char swapped[64];
	uint64_t seed = 2;

	(void)state;
	fill(bytes, sizeof(bytes), &seed);
	for (size_t i = 8; i < sizeof(bytes); i += 8) {
		memcpy(swapped, bytes, sizeof(bytes));
		memcpy(swapped, bytes + i, 8);
		memcpy(swapped + i, bytes, 8);
		assert_true(checksum_bytes(swapped, sizeof(swapped), 3) !=
			    checksum_bytes(bytes, sizeof(bytes), 3));
	}
}

static void
test_salt_makes_another_sum(void **state)
{
	(void)state;
	assert_true(checksum_bytes("event", 5, 1) != checksum_bytes("event", 5, 2));
	assert_true(checksum_bytes("", 0, 1) == 0);
}

/* The sum after a change is the sum before, and the difference of the words concerned. */
static void
test_sum_can_be_mended(void **state)
{
	char bytes[LEN_MAX];
	uint64_t seed = 3;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		size_t len = 1 + support_random(&seed) % LEN_MAX;
		size_t offset = support_random(&seed) % len;
		size_t width = support_random(&seed) % (len - offset + 1);
		uint64_t sum;

		fill(bytes, len, &seed);
		sum = checksum_bytes(bytes, len, 3) - checksum_part(bytes, len, 3, offset, width);
		fill(bytes + offset, width, &seed);
		sum += checksum_part(bytes, len, 3, offset, width);
		assert_true(sum == checksum_bytes(bytes, len, 3));
	}
}

static void
test_reads_not_a_byte_too_far(void **state)
{
	struct guard guard;
	char bytes[LEN_MAX] = { 1 };

	(void)state;
	support_guard_init(&guard, LEN_MAX);
	for (size_t len = 1; len <= LEN_MAX; len++) {
		const char *p = support_guard_put(&guard, span_make(bytes, len));

		assert_true(checksum_bytes(p, len, 1) == checksum_bytes(bytes, len, 1));
		assert_true(checksum_part(p, len, 1, 0, len) == checksum_bytes(p, len, 1));
		assert_true(checksum_part(p, len, 1, len, 0) == 0);
	}
	support_guard_fini(&guard);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_change_of_a_byte_is_noticed),
		cmocka_unit_test(test_words_that_change_places_are_noticed),
		cmocka_unit_test(test_salt_makes_another_sum),
		cmocka_unit_test(test_sum_can_be_mended),
		cmocka_unit_test(test_reads_not_a_byte_too_far),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
