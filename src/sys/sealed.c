/*
 * The seals are what a receiver relies on: without them the sender could shorten the memory while it
 * is read, or change it between a check and its use.
 */
#include "sys/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL };

static int
write_all(int fd, struct span bytes)
{
	while (bytes.n > 0) {
		ssize_t n = write(fd, bytes.p, bytes.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes = span_skip(bytes, (size_t)n);
	}
	return 0;
}

int
sealed_new(const char *name, struct span bytes, int *ret_fd)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return -errno;
	r = write_all(fd, bytes);
	if (r == 0 && fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		r = -errno;
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

static int
read_all(int fd, size_t n, struct buf *out)
{
	size_t done = 0;

	if (!buf_reserve(out, n))
		return -ENOMEM;
	while (done < n) {
		ssize_t got = pread(fd, out->data + out->len, n - done, (off_t)done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return -EBADMSG;
		done += (size_t)got;
		out->len += (size_t)got;
	}
	return 0;
}

int
sealed_read(int fd, size_t max, struct buf *out)
{
	int seals = fcntl(fd, F_GET_SEALS);
	off_t size;

	/* What is no memory of this kind has no seals either. */
	if (seals < 0 || (seals & SEALS) != SEALS)
		return -EBADMSG;
	/* Not fstat, which some versions of glibc make a call that takes paths: sys/sandbox.h. */
	size = lseek(fd, 0, SEEK_END);
	if (size < 0)
		return -errno;
	if ((size_t)size > max)
		return -EBADMSG;
	return read_all(fd, (size_t)size, out);
}
