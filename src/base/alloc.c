/*
 * All memory of the project passes through here. mem_test_denies is a weak reference: the linker
 * leaves it NULL in the shipped program, and a test program answers by it.
 */
#include "base/alloc.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool
is_denied(void)
{
	if (mem_test_denies == NULL || !mem_test_denies())
		return false;
	errno = ENOMEM;
	return true;
}

void
mem_free(void *p)
{
	int saved_errno = errno;

	free(p);
	errno = saved_errno;
}

void *
mem_alloc(size_t n)
{
	return is_denied() ? NULL : malloc(n > 0 ? n : 1);
}

void *
mem_zalloc(size_t n)
{
	return is_denied() ? NULL : calloc(1, n > 0 ? n : 1);
}

void *
mem_array(size_t count, size_t n)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, n, &bytes))
		return NULL;
	return mem_zalloc(bytes);
}

void *
mem_resize(void *p, size_t n)
{
	return is_denied() ? NULL : realloc(p, n > 0 ? n : 1);
}

char *
mem_strndup(struct span text)
{
	char *copy;

	if (text.n == SIZE_MAX)
		return NULL;
	copy = mem_alloc(text.n + 1);
	if (copy == NULL)
		return NULL;
	if (text.n > 0)
		memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	return copy;
}
