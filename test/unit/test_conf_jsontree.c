/*
 * The seed of Jansson's hash tables, which stand between a client that chooses keys and one that has them all
 * collide: it is set before there is an object, from the kernel's random bytes, and differs in each program.
 * Jansson's own function for it is replaced by one that notes what it is called with.
 */
#include "support_cmocka.h"

#include <jansson.h>

#include "conf/jsontree.h"

enum { PROGRAMS = 8 };

static size_t seeds[PROGRAMS];
static unsigned count;

void
json_object_seed(size_t seed)
{
	assert_true(count < PROGRAMS);
	seeds[count++] = seed;
}

static void
each_program_has_a_seed_of_its_own(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PROGRAMS; i++)
		jsontree_prepare();
	assert_int_equal(count, PROGRAMS);
	for (unsigned i = 0; i < PROGRAMS; i++) {
		/* 0 leaves the choice to Jansson, which makes it again in each process. */
		assert_true(seeds[i] != 0);
		for (unsigned j = 0; j < i; j++)
			assert_true(seeds[i] != seeds[j]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_program_has_a_seed_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
