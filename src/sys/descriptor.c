/*
 * Why this file exists: what a process does to its table of descriptors as a whole. Closing all
 * others is one system call for each gap between the kept ones, not one for each number.
 */
#include "sys/descriptor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"

int
descriptor_raise_limit(uint64_t wanted, uint64_t *ret_got)
{
	struct rlimit limit, raised;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	raised = limit;
	if (raised.rlim_cur < wanted)
		raised.rlim_cur = wanted;
	if (raised.rlim_max < wanted)
		raised.rlim_max = wanted;
	if (setrlimit(RLIMIT_NOFILE, &raised) < 0) {
		/* The hard limit stands: take what it allows. */
		raised = limit;
		raised.rlim_cur = min_u64(limit.rlim_max, wanted);
		if (setrlimit(RLIMIT_NOFILE, &raised) < 0)
			raised = limit;
	}
	*ret_got = raised.rlim_cur;
	return 0;
}

static int
compare_ints(const void *a, const void *b)
{
	int x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

int
descriptor_close_others(const int *keep, size_t n)
{
	unsigned next = STDERR_FILENO + 1;
	int *sorted, r = 0;

	sorted = mem_array(n + 1, sizeof(*sorted));
	if (sorted == NULL)
		return -ENOMEM;
	if (n > 0)
		memcpy(sorted, keep, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare_ints);
	for (size_t i = 0; i < n && r == 0; i++) {
		if (sorted[i] < 0 || (unsigned)sorted[i] < next)
			continue;
		if ((unsigned)sorted[i] > next && close_range(next, (unsigned)sorted[i] - 1, 0) < 0)
			r = -errno;
		next = (unsigned)sorted[i] + 1;
	}
	if (r == 0 && close_range(next, ~0U, 0) < 0)
		r = -errno;
	mem_free(sorted);
	return r;
}
