/* What a process does to itself and learns of others: descriptors, title, /proc, folders, digests. */
#include "support_cmocka.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "support_alloc.h"
#include "sys/descriptor.h"
#include "sys/digest.h"
#include "sys/journal.h"
#include "sys/paths.h"
#include "sys/process.h"
#include "sys/proctitle.h"

/* Runs the body in a child, which changes what a process can change only once. */
static void
assert_in_child(bool (*body)(void))
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0)
		_exit(body() ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static bool
raise_limit(void)
{
	struct rlimit limit = { 64, 128 };
	uint64_t got = 0;

	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return false;
	if (descriptor_raise_limit(100, &got) < 0 || got != 100)
		return false;
	/* It is never lowered. */
	if (descriptor_raise_limit(32, &got) < 0 || got != 100)
		return false;
	/* As far as the hard limit goes, or to it all, where the process may raise that too. */
	if (descriptor_raise_limit(1000, &got) < 0 || (got != 128 && got != 1000))
		return false;
	return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == got;
}

static void
test_raise_limit(void **state)
{
	(void)state;
	assert_in_child(raise_limit);
}

static bool
close_others(void)
{
	int keep[4], lost[3];

	for (unsigned i = 0; i < 3; i++) {
		keep[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		lost[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	keep[3] = -1;
	/* The order does not matter, nor does naming one twice or a standard one. */
	if (descriptor_close_others((int[]){ keep[2], -1, keep[0], keep[1], keep[0], 1 }, 6) < 0)
		return false;
	for (unsigned i = 0; i < 3; i++)
		if (fcntl(keep[i], F_GETFD) < 0 || fcntl(lost[i], F_GETFD) >= 0)
			return false;
	if (fcntl(0, F_GETFD) < 0 || fcntl(1, F_GETFD) < 0 || fcntl(2, F_GETFD) < 0)
		return false;
	return descriptor_close_others(NULL, 0) == 0 && fcntl(keep[0], F_GETFD) < 0;
}

static void
test_close_others(void **state)
{
	(void)state;
	assert_in_child(close_others);
	support_alloc_fail_all();
	assert_int_equal(descriptor_close_others(NULL, 0), -ENOMEM);
	support_alloc_fail_at(0);
}

static char **test_argv;
static int test_argc;

static bool
read_file(const char *path, char *text, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, cap - 1);

	if (n < 0)
		return false;
	text[n] = '\0';
	return close(fd) == 0;
}

static bool
set_title(void)
{
	struct proctitle title;
	char text[4096], name[32], *first = test_argv[0];
	const char *path;

	proctitle_init(&title, test_argc, test_argv);
	if (test_argv[0] == first || strcmp(test_argv[0], first) != 0)
		return false;
	proctitle_set(&title, "lurkbot: worker %d", 7);
	if (!read_file("/proc/self/cmdline", text, sizeof(text)) ||
	    strcmp(text, "lurkbot: worker 7") != 0)
		return false;
	if (!read_file("/proc/self/comm", name, sizeof(name)) ||
	    strcmp(name, "lurkbot: worker\n") != 0)
		return false;
	/* A shorter one leaves nothing of the longer. */
	proctitle_set(&title, "short");
	if (!read_file("/proc/self/cmdline", text, sizeof(text)) || strcmp(text, "short") != 0 ||
	    strstr(text + 6, "worker") != NULL)
		return false;
	/* Arguments and environment are where they were, to look at. */
	path = getenv("PROCTITLE_PROBE");
	if (path == NULL || strcmp(path, "kept") != 0 || strcmp(test_argv[0], "short") == 0)
		return false;
	if (strstr(program_invocation_name, "test_sys_process") == NULL)
		return false;
	proctitle_fini(&title);
	return true;
}

static void
test_title(void **state)
{
	(void)state;
	assert_in_child(set_title);
}

static bool
set_title_without_memory(void)
{
	struct proctitle title;
	char *first = test_argv[0];

	support_alloc_fail_at(3);
	proctitle_init(&title, test_argc, test_argv);
	proctitle_set(&title, "nothing");
	proctitle_fini(&title);
	return test_argv[0] == first && strstr(first, "test_sys_process") != NULL;
}

static void
test_title_without_memory(void **state)
{
	(void)state;
	assert_in_child(set_title_without_memory);
}

static void
test_process_figures(void **state)
{
	uint64_t rss = 0, fds = 0, more = 0, ticks = 0, again = 0;
	pid_t pid;
	uid_t uid;
	int fd;

	(void)state;
	assert_int_equal(process_rss_bytes(getpid(), &rss), 0);
	assert_in_range(rss, 4096, UINT64_C(1) << 40);
	assert_int_equal(process_open_fds(getpid(), &fds), 0);
	fd = dup(0);
	assert_int_equal(process_open_fds(getpid(), &more), 0);
	assert_int_equal(more, fds + 1);
	(void)close(fd);
	assert_int_equal(process_uid(getpid(), &uid), 0);
	assert_int_equal(uid, getuid());
	assert_int_equal(process_start_ticks(getpid(), &ticks), 0);
	assert_int_equal(process_start_ticks(getpid(), &again), 0);
	assert_int_equal(ticks, again);

	pid = fork();
	if (pid == 0)
		_exit(0);
	/* A zombie has a pid still, but does nothing any more. */
	assert_int_equal(waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	assert_int_equal(process_start_ticks(pid, &again), -ESRCH);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(process_start_ticks(pid, &again), -ESRCH);
	assert_int_equal(process_rss_bytes(pid, &rss), -ESRCH);
	assert_int_equal(process_uid(pid, &uid), -ESRCH);
	assert_int_equal(process_open_fds(pid, &fds), -ESRCH);
}

static void
test_folders(void **state)
{
	char base[] = "/tmp/paths-XXXXXX", path[64];
	struct stat st;
	char *joined;

	(void)state;
	assert_non_null(mkdtemp(base));
	(void)snprintf(path, sizeof(path), "%s/a/b//c/", base);
	assert_int_equal(paths_make_folder(path), 0);
	assert_int_equal(paths_make_folder(path), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(paths_make_folder("/proc/self/status/x"), -ENOTDIR);
	assert_int_equal(paths_make_folder("/proc/self/status"), -ENOTDIR);

	joined = paths_join(base, "a/b/c");
	assert_int_equal(rmdir(joined), 0);
	mem_free(joined);
	joined = paths_join(base, "a/b");
	assert_int_equal(rmdir(joined), 0);
	mem_free(joined);
	joined = paths_join(base, "a");
	assert_int_equal(rmdir(joined), 0);
	mem_free(joined);
	assert_int_equal(rmdir(base), 0);

	support_alloc_fail_all();
	assert_int_equal(paths_make_folder("/tmp"), -ENOMEM);
	assert_null(paths_join("/a", "b"));
	support_alloc_fail_at(0);
	joined = paths_lock("/h");
	assert_string_equal(joined, "/h/run/gateway.lock");
	mem_free(joined);
	joined = paths_socket("/h");
	assert_string_equal(joined, "/h/run/gateway.sock");
	mem_free(joined);
}

static void
test_segment_name(void **state)
{
	char name[PATHS_SEGMENT_NAME_MAX], other[PATHS_SEGMENT_NAME_MAX];

	(void)state;
	/* SHA-256 of "/" */
	assert_int_equal(paths_segment_name("/", 1000, name), 0);
	assert_string_equal(name, "/lurkbot-1000-8a5edab2");
	assert_int_equal(paths_segment_name("/tmp/../tmp/", 0, name), 0);
	assert_int_equal(paths_segment_name("/tmp", 0, other), 0);
	assert_string_equal(name, other);
	assert_int_equal(paths_segment_name("/no/such/folder", 0, name), -ENOENT);
}

static void
test_digest(void **state)
{
	char hex[DIGEST_SHA256_HEX_SIZE];

	(void)state;
	assert_int_equal(digest_sha256_hex(SPAN("abc"), hex), 0);
	assert_string_equal(
	    hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(digest_sha256_hex(span_make(NULL, 0), hex), 0);
	assert_string_equal(
	    hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void
test_journal(void **state)
{
	struct stat st;
	char text[64];

	(void)state;
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
	assert_false(journal_is_stderr());
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	(void)snprintf(text, sizeof(text), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	assert_int_equal(setenv("JOURNAL_STREAM", text, 1), 0);
	assert_true(journal_is_stderr());
	(void)snprintf(
	    text, sizeof(text), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino + 1);
	assert_int_equal(setenv("JOURNAL_STREAM", text, 1), 0);
	assert_false(journal_is_stderr());
	assert_int_equal(setenv("JOURNAL_STREAM", "rubbish", 1), 0);
	assert_false(journal_is_stderr());
	assert_int_equal(setenv("JOURNAL_STREAM", "1:x", 1), 0);
	assert_false(journal_is_stderr());
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_raise_limit),
		cmocka_unit_test(test_close_others),
		cmocka_unit_test(test_title),
		cmocka_unit_test(test_title_without_memory),
		cmocka_unit_test(test_process_figures),
		cmocka_unit_test(test_folders),
		cmocka_unit_test(test_segment_name),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_journal),
	};

	test_argc = argc;
	test_argv = argv;
	(void)setenv("PROCTITLE_PROBE", "kept", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
