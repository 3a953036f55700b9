/*
 * Why this file exists: /proc is text made for people; its few fields that the gateway needs are
 * read here, bounded, and nowhere else.
 */
#include "sys/process.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/parse.h"
#include "base/span.h"

enum {
	STAT_FIELD_STATE = 3,  /* the fields of /proc/PID/stat, counted from 1 as in proc(5) */
	STAT_FIELD_START = 22, /* those from 3 on come behind the name */
	STATM_FIELD_RSS = 2,
	STATM_FIELD_SHARED = 3, /* of that: with files and shared memory behind it */
};

static int
read_proc(pid_t pid, const char *name, char *text, size_t cap, struct span *ret)
{
	char path[64];
	ssize_t n;
	int fd, r = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = read(fd, text, cap);
	if (n < 0)
		r = -errno;
	(void)close(fd);
	if (r == 0)
		*ret = span_make(text, (size_t)n);
	return r;
}

/* Field number WANTED of TEXT, whose first is number FIRST; empty when there is none. */
static struct span
field(struct span text, unsigned first, unsigned wanted)
{
	for (unsigned i = first;; i++) {
		struct span word;

		while (text.n > 0 && isspace((unsigned char)text.p[0]))
			text = span_skip(text, 1);
		word = span_make(text.p, 0);
		while (word.n < text.n && !isspace((unsigned char)text.p[word.n]))
			word.n++;
		if (i == wanted || word.n == 0)
			return word;
		text = span_skip(text, word.n);
	}
}

int
process_rss_bytes(pid_t pid, uint64_t *ret_bytes)
{
	char text[256];
	struct span statm;
	uint64_t pages;
	int r;

	r = read_proc(pid, "statm", text, sizeof(text), &statm);
	if (r < 0)
		return r;
	if (parse_u64(field(statm, 1, STATM_FIELD_RSS), UINT64_MAX >> 16, &pages) < 0)
		return -EBADMSG;
	*ret_bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
	return 0;
}

int
process_own_bytes(pid_t pid, uint64_t *ret_bytes)
{
	uint64_t resident, shared;
	struct span statm;
	char text[256];
	int r;

	r = read_proc(pid, "statm", text, sizeof(text), &statm);
	if (r < 0)
		return r;
	if (parse_u64(field(statm, 1, STATM_FIELD_RSS), UINT64_MAX >> 16, &resident) < 0 ||
	    parse_u64(field(statm, 1, STATM_FIELD_SHARED), UINT64_MAX >> 16, &shared) < 0)
		return -EBADMSG;
	*ret_bytes = (resident > shared ? resident - shared : 0) * (uint64_t)sysconf(_SC_PAGESIZE);
	return 0;
}

static int
count_entries(const char *path, uint64_t *ret_count)
{
	const struct dirent *entry;
	uint64_t count = 0;
	DIR *folder;

	folder = opendir(path);
	if (folder == NULL)
		return errno == ENOENT ? -ESRCH : -errno;
	while ((entry = readdir(folder)) != NULL)
		if (entry->d_name[0] != '.')
			count++;
	(void)closedir(folder);
	*ret_count = count;
	return 0;
}

int
process_open_fds(pid_t pid, uint64_t *ret_count)
{
	struct stat st;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	if (stat(path, &st) < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	/* Since Linux 6.2 the size is the number; a process without any would not be asked about. */
	if (st.st_size > 0) {
		*ret_count = (uint64_t)st.st_size;
		return 0;
	}
	return count_entries(path, ret_count);
}

int
process_start_ticks(pid_t pid, uint64_t *ret_ticks)
{
	char text[1024];
	struct span stat, state, rest;
	const char *name_end;
	int r;

	r = read_proc(pid, "stat", text, sizeof(text), &stat);
	if (r < 0)
		return r;
	/* The name may hold blanks and parentheses: what counts is the last one. */
	name_end = memrchr(stat.p, ')', stat.n);
	if (name_end == NULL)
		return -EBADMSG;
	rest = span_skip(stat, (size_t)(name_end - stat.p) + 1);
	state = field(rest, STAT_FIELD_STATE, STAT_FIELD_STATE);
	if (span_is(state, "Z") || span_is(state, "X"))
		return -ESRCH;
	r = parse_u64(field(rest, STAT_FIELD_STATE, STAT_FIELD_START), UINT64_MAX, ret_ticks);
	return r < 0 ? -EBADMSG : 0;
}

int
process_forbid_core(void)
{
	/* With 0 a core would still go to a program that core_pattern names; with 1, nowhere (core(5)). */
	const struct rlimit none = { 1, 1 };

	return setrlimit(RLIMIT_CORE, &none) == 0 ? 0 : -errno;
}

int
process_uid(pid_t pid, uid_t *ret_uid)
{
	static const char label[] = "\nUid:";
	char text[1024];
	struct span status;
	const char *line;
	uint64_t uid;
	int r;

	/* The name of the process, which it chose itself, stands before, with its newlines escaped. */
	r = read_proc(pid, "status", text, sizeof(text), &status);
	if (r < 0)
		return r;
	line = memmem(status.p, status.n, label, strlen(label));
	if (line == NULL)
		return -EBADMSG;
	status = span_skip(status, (size_t)(line - status.p) + strlen(label));
	if (parse_u64(field(status, 1, 1), UINT32_MAX, &uid) < 0)
		return -EBADMSG;
	*ret_uid = (uid_t)uid;
	return 0;
}
