/*
 * Reads a file to its end, whatever stat(2) would say of its length: it may be a pipe.
 */
#include "conf/readfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_SIZE = 16384 };

/* Room for all of a file of known length: what grows leaves copies of its bytes behind. */
static bool
reserve_all(int fd, struct buf *out)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > READFILE_MAX)
		return true;
	return buf_reserve(out, (size_t)st.st_size + READ_SIZE);
}

static int
read_all(int fd, struct buf *out)
{
	for (;;) {
		ssize_t n;

		if (!buf_reserve(out, READ_SIZE))
			return -ENOMEM;
		n = read(fd, out->data + out->len, READ_SIZE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		out->len += (size_t)n;
		if (out->len > READFILE_MAX)
			return -EFBIG;
	}
}

int
readfile_open(int fd, struct buf *out)
{
	return reserve_all(fd, out) ? read_all(fd, out) : -ENOMEM;
}

int
readfile(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int status;

	if (fd < 0)
		return -errno;
	status = readfile_open(fd, out);
	close(fd);
	return status;
}
