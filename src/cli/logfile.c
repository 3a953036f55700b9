/*
 * A file is told by device and inode, not by its name. The old one is read to its end before the
 * new one is begun, so a rotation loses no line.
 */
#include "cli/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE_BYTES = 65536 };

/* 0; -EIO: the file ended, so it has been cut meanwhile; or another -errno. */
static int
read_exactly(int fd, char *out, size_t n, off_t at)
{
	while (n > 0) {
		ssize_t got = pread(fd, out, n, at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EIO;
		out += got;
		at += got;
		n -= (size_t)got;
	}
	return 0;
}

/* Walks back from the end, piece by piece, until enough newlines were passed. */
static int
find_last_lines(int fd, off_t size, uint64_t lines, off_t *ret)
{
	char piece[PIECE_BYTES];
	off_t end = size;
	uint64_t passed = 0;

	if (lines == 0) {
		*ret = size;
		return 0;
	}
	while (end > 0) {
		size_t n = end > PIECE_BYTES ? PIECE_BYTES : (size_t)end;
		off_t begin = end - (off_t)n;
		int rc = read_exactly(fd, piece, n, begin);

		if (rc != 0)
			return rc;
		for (size_t i = n; i > 0; i--) {
			/* The newline at the very end closes a line and begins none. */
			if (piece[i - 1] != '\n' || begin + (off_t)i == size)
				continue;
			if (++passed == lines) {
				*ret = begin + (off_t)i;
				return 0;
			}
		}
		end = begin;
	}
	*ret = 0;
	return 0;
}

/* Opens what stands at the path and notes which file it is. */
static int
open_current(const char *path, struct logfile *ret, off_t *ret_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) != 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	if (rc != 0) {
		close(fd);
		return rc;
	}
	*ret = (struct logfile){ .path = path, .fd = fd, .device = st.st_dev, .inode = st.st_ino };
	*ret_size = st.st_size;
	return 0;
}

int
logfile_open(struct logfile *ret, const char *path, uint64_t lines)
{
	off_t size;
	int rc;

	*ret = (struct logfile){ .path = path, .fd = -1 };
	rc = open_current(path, ret, &size);
	if (rc != 0)
		return rc;
	rc = find_last_lines(ret->fd, size, lines, &ret->position);
	/* Cut while it was looked at: it begins anew. */
	if (rc == -EIO) {
		ret->position = 0;
		rc = 0;
	}
	return rc;
}

int
logfile_read(struct logfile *l, struct buf *out)
{
	ssize_t n;

	if (l->fd < 0)
		return 0;
	if (!buf_reserve(out, PIECE_BYTES))
		return -ENOMEM;
	do
		n = pread(l->fd, out->data + out->len, PIECE_BYTES, l->position);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	out->len += (size_t)n;
	l->position += n;
	return n > 0;
}

/* Whether the open file has become shorter than what was read of it. */
static bool
was_cut(struct logfile *l)
{
	struct stat st;

	if (l->fd < 0 || fstat(l->fd, &st) != 0 || st.st_size >= l->position)
		return false;
	l->position = 0;
	return true;
}

int
logfile_renew(struct logfile *l)
{
	struct logfile next;
	struct stat st;
	off_t size;
	int rc;

	if (was_cut(l))
		return 1;
	if (stat(l->path, &st) != 0)
		return 0;
	if (l->fd >= 0 && st.st_dev == l->device && st.st_ino == l->inode)
		return 0;
	rc = open_current(l->path, &next, &size);
	if (rc != 0)
		return rc;
	logfile_close(l);
	*l = next;
	return 1;
}

void
logfile_close(struct logfile *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}
