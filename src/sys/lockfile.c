/*
 * Why this file exists: "is it running, and who is it" must be answered without guessing. The lock
 * answers the first question, and the pid with its start time the second, so that a number that
 * the system has given to another process meanwhile is never taken for ours, or signalled.
 *
 * Nobody can wait for a flock for a limited time, so waiting is asking again. Looking on takes the
 * shared lock for an instant; an acquirer that meets it merely asks again.
 */
#include "sys/lockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/parse.h"
#include "sys/guarded.h"
#include "sys/process.h"

enum { POLL_MS = 10, FILE_MAX = LOCKFILE_TEXT_MAX + 64 };

/* What the file says. */
struct content {
	pid_t pid;
	uint64_t start_ticks;
	struct span extra; /* points into the text that was read */
};

static int
read_text(int fd, char text[FILE_MAX], size_t *ret_len)
{
	ssize_t n;

	do
		n = pread(fd, text, FILE_MAX, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	*ret_len = (size_t)n;
	return 0;
}

/* The next line of TEXT without its newline; TEXT is moved behind it. */
static struct span
take_line(struct span *text)
{
	const char *newline = text->n > 0 ? memchr(text->p, '\n', text->n) : NULL;
	struct span line = *text;

	if (newline == NULL) {
		*text = span_skip(*text, text->n);
		return line;
	}
	line.n = (size_t)(newline - text->p);
	*text = span_skip(*text, line.n + 1);
	return line;
}

/* False: the file does not name a process, as while one starts or after a clean stop. */
static bool
parse_content(struct span text, struct content *ret)
{
	uint64_t pid;

	if (parse_u64(take_line(&text), INT32_MAX, &pid) < 0 || pid == 0)
		return false;
	if (parse_u64(take_line(&text), UINT64_MAX, &ret->start_ticks) < 0)
		return false;
	ret->pid = (pid_t)pid;
	ret->extra = text;
	return true;
}

/*
 * Whether the file may name this process, which the reader is going to signal: somebody who can write it
 * may name his own, and only root all. In a folder that was given away he could make such a file.
 */
static bool
may_name(int fd, pid_t pid)
{
	struct stat st;
	uid_t uid;

	if (fstat(fd, &st) < 0)
		return false;
	return st.st_uid == 0 || (process_uid(pid, &uid) == 0 && uid == st.st_uid);
}

/* The process that the file names, if it lives; else 0. */
static pid_t
living_holder(int fd)
{
	char text[FILE_MAX];
	struct content content;
	uint64_t start_ticks;
	size_t len;

	if (read_text(fd, text, &len) < 0 || !parse_content(span_make(text, len), &content))
		return 0;
	if (process_start_ticks(content.pid, &start_ticks) < 0 ||
	    start_ticks != content.start_ticks || !may_name(fd, content.pid))
		return 0;
	return content.pid;
}

/* 0, -EWOULDBLOCK, or another -errno. */
static int
try_lock(int fd, int operation)
{
	int r;

	do
		r = flock(fd, operation | LOCK_NB);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

static int
wait_for_lock(int fd, unsigned wait_ms, pid_t *ret_holder)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	uint64_t deadline_ms = clock_mono_ms() + wait_ms;
	pid_t holder;
	int r;

	for (;;) {
		r = try_lock(fd, LOCK_EX);
		if (r != -EWOULDBLOCK)
			return r;
		holder = living_holder(fd);
		if (holder != 0 || clock_mono_ms() >= deadline_ms) {
			*ret_holder = holder;
			return -EWOULDBLOCK;
		}
		(void)nanosleep(&pause, NULL);
	}
}

int
lockfile_acquire(const char *path, unsigned wait_ms, int *ret_fd, pid_t *ret_holder)
{
	int fd, r;

	r = guarded_open(path, O_RDWR | O_NOFOLLOW, 0600, false, &fd);
	if (r < 0)
		return r;
	r = wait_for_lock(fd, wait_ms, ret_holder);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	/* Somebody's own from an earlier start: see may_name. Where files know no owners it stays as it is. */
	(void)!fchown(fd, geteuid(), getegid());
	*ret_fd = fd;
	return 0;
}

int
lockfile_write(int fd, struct span extra)
{
	char text[FILE_MAX];
	uint64_t start_ticks;
	int n, r;

	r = process_start_ticks(getpid(), &start_ticks);
	if (r < 0)
		return r;
	n = snprintf(text, sizeof(text), "%d\n%" PRIu64 "\n", getpid(), start_ticks);
	if (extra.n > LOCKFILE_TEXT_MAX - 1)
		return -EMSGSIZE;
	if (extra.n > 0)
		memcpy(text + n, extra.p, extra.n);
	/* A reader in between finds nobody named, which is how a start looks. */
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n + extra.n, 0) < 0)
		return -errno;
	return 0;
}

void
lockfile_release(int fd)
{
	/* Empty before it is free: whoever gets the lock next finds nobody named in it. */
	(void)!ftruncate(fd, 0);
	(void)flock(fd, LOCK_UN);
	(void)close(fd);
}

int
lockfile_holder(const char *path, pid_t *ret_pid)
{
	pid_t holder = 0;
	int fd, r;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		if (errno != ENOENT)
			return -errno;
		*ret_pid = 0;
		return 0;
	}
	r = try_lock(fd, LOCK_SH);
	if (r == -EWOULDBLOCK) {
		holder = living_holder(fd);
		r = holder != 0 ? 0 : -ESRCH;
	}
	(void)close(fd);
	if (r == 0)
		*ret_pid = holder;
	return r;
}

int
lockfile_read_extra(const char *path, char ret_text[LOCKFILE_TEXT_MAX])
{
	char text[FILE_MAX];
	struct content content = { 0 };
	size_t len, n;
	int fd, r;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = read_text(fd, text, &len);
	(void)close(fd);
	if (r < 0)
		return r;
	if (!parse_content(span_make(text, len), &content))
		content.extra = SPAN("");
	n = min_size(content.extra.n, LOCKFILE_TEXT_MAX - 1);
	if (n > 0)
		memcpy(ret_text, content.extra.p, n);
	ret_text[n] = '\0';
	return 0;
}
