/*
 * The folders above the one that was given away are root's, or were trusted with the configuration, so
 * only the last part of a path is looked at.
 */
#include "sys/guarded.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/span.h"

int
guarded_give_folder(const char *path, uid_t uid, gid_t gid)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r = 0;
	struct stat st;

	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR) && stat(path, &st) == 0 &&
	    S_ISDIR(st.st_mode))
		return 0;
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if ((st.st_uid != uid || st.st_gid != gid) && fchown(fd, uid, gid) < 0)
		r = -errno;
	(void)close(fd);
	return r;
}

static int
stat_folder_of(const char *path, struct stat *ret)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash != NULL ? (size_t)(slash - path) : 0;
	char *folder =
	    slash != NULL ? mem_strndup(span_make(path, n > 0 ? n : 1)) : mem_strndup(SPAN("."));
	int r;

	if (folder == NULL)
		return -ENOMEM;
	r = stat(folder, ret) < 0 ? -errno : 0;
	mem_free(folder);
	return r;
}

static bool
is_others(const struct stat *folder)
{
	return geteuid() == 0 &&
	       (folder->st_uid != 0 || (folder->st_mode & (S_IWGRP | S_IWOTH)) != 0);
}

/* Neither a link nor another name of something else. */
static int
check_file(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) && st.st_nlink == 1 ? 0 : -EPERM;
}

static int
open_among_others(const char *path, int flags, mode_t mode, const struct stat *owner, int *ret_fd)
{
	/* Not held up by what is no file. */
	int how = flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, r;
	int fd = open(path, how);

	if (fd < 0 && errno == ENOENT) {
		fd = open(path, how | O_CREAT | O_EXCL, mode);
		if (fd >= 0 && owner != NULL && fchown(fd, owner->st_uid, owner->st_gid) < 0) {
			r = -errno;
			(void)close(fd);
			return r;
		}
	}
	if (fd < 0)
		return -errno;
	r = check_file(fd);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

int
guarded_open(const char *path, int flags, mode_t mode, bool give, int *ret_fd)
{
	struct stat folder;
	int fd, r = stat_folder_of(path, &folder);

	if (r < 0)
		return r;
	if (is_others(&folder))
		return open_among_others(path, flags, mode, give ? &folder : NULL, ret_fd);
	fd = open(path, flags | O_CREAT | O_CLOEXEC | O_NOCTTY, mode);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}
