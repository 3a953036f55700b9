/*
 * A mapping whose last page has no access rights.
 */
#include "support_guard.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support_cmocka.h"

void
support_guard_init(struct guard *guard, size_t room)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	guard->room = (room + page - 1) / page * page;
	guard->map_len = guard->room + page;
	guard->map =
	    mmap(NULL, guard->map_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(guard->map, MAP_FAILED);
	assert_int_equal(mprotect(guard->map + guard->room, page, PROT_NONE), 0);
}

char *
support_guard_put(struct guard *guard, struct span bytes)
{
	char *at = guard->map + guard->room - bytes.n;

	assert_true(bytes.n <= guard->room);
	if (bytes.n > 0)
		memcpy(at, bytes.p, bytes.n);
	return at;
}

void
support_guard_fini(struct guard *guard)
{
	munmap(guard->map, guard->map_len);
}
