/*
 * The seed is taken here, and not at the first object of each process, so that those that fork later
 * and open no file any more have it.
 */
#include "conf/jsontree.h"

#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>

#include "base/random.h"
#include "conf/secret.h"

static void
free_wiped(void *p)
{
	if (p != NULL)
		secret_wipe(p, malloc_usable_size(p));
	free(p);
}

void
jsontree_prepare(void)
{
	size_t seed = 0;

	/* Without random bytes, or with none but zeros, Jansson looks for some of its own. */
	if (random_bytes(&seed, sizeof(seed)) < 0)
		seed = 0;
	json_object_seed(seed);
	json_set_alloc_funcs(malloc, free_wiped);
}
