/*
 * The answer to mem_test_denies of base/alloc.h.
 */
#include "support_alloc.h"

#include <stdbool.h>

#include "base/alloc.h"

static struct {
	unsigned fail_at, asked;
	bool all_fail;
} hook;

bool
mem_test_denies(void)
{
	hook.asked++;
	return hook.all_fail || hook.asked == hook.fail_at;
}

void
support_alloc_fail_at(unsigned n)
{
	hook.fail_at = n;
	hook.asked = 0;
	hook.all_fail = false;
}

void
support_alloc_fail_all(void)
{
	hook.all_fail = true;
}

unsigned
support_alloc_count(void)
{
	return hook.asked;
}

unsigned
support_alloc_try_each(void (*attempt)(void *arg), void *arg)
{
	unsigned n = 0;

	do {
		support_alloc_fail_at(++n);
		attempt(arg);
	} while (hook.asked >= n);
	support_alloc_fail_at(0);
	return n - 1;
}
