/*
 * getrandom needs no descriptor, so it also works after a limit or a sandbox took them away.
 */
#include "base/random.h"

#include <errno.h>
#include <sys/random.h>
#include <sys/types.h>

int
random_bytes(void *out, size_t n)
{
	char *at = out;

	while (n > 0) {
		ssize_t got = getrandom(at, n, 0);

		if (got < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		at += got;
		n -= (size_t)got;
	}
	return 0;
}
