/* The lock file: who holds it, through the life and death of holder and children. */
#include "support_cmocka.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "sys/lockfile.h"

static int
set_up(void **state)
{
	static char path[32];
	int fd;

	(void)snprintf(path, sizeof(path), "/tmp/lock-XXXXXX");
	fd = mkstemp(path);
	*state = path;
	return fd < 0 ? -1 : close(fd);
}

static int
tear_down(void **state)
{
	(void)unlink(*state);
	return 0;
}

/* A process that holds the lock; with an ORPHAN, that one holds it after the process's death. */
struct holder {
	pid_t pid;
	int say_fd; /* closed by the test: the orphan ends */
};

static void
wait_for_end_of_file(int fd)
{
	char c;

	while (read(fd, &c, 1) > 0)
		continue;
}

static void
hold_lock(const char *path, bool with_orphan, int done_fd, int say_fd)
{
	pid_t holder;
	int fd;

	if (lockfile_acquire(path, 0, &fd, &holder) < 0 ||
	    lockfile_write(fd, SPAN("ws://127.0.0.1:1\n")) < 0)
		_exit(1);
	if (with_orphan && fork() == 0) {
		(void)close(done_fd);
		wait_for_end_of_file(say_fd);
		_exit(0);
	}
	(void)close(done_fd);
	for (;;)
		(void)pause();
}

static struct holder
start_holder(const char *path, bool with_orphan)
{
	int done[2], say[2];
	struct holder h;

	assert_int_equal(pipe(done), 0);
	assert_int_equal(pipe(say), 0);
	h.pid = fork();
	assert_true(h.pid >= 0);
	if (h.pid == 0) {
		(void)close(done[0]);
		(void)close(say[1]);
		hold_lock(path, with_orphan, done[1], say[0]);
	}
	(void)close(done[1]);
	(void)close(say[0]);
	wait_for_end_of_file(done[0]);
	(void)close(done[0]);
	h.say_fd = say[1];
	return h;
}

static void
kill_holder(const struct holder *h)
{
	assert_int_equal(kill(h->pid, SIGKILL), 0);
	assert_int_equal(waitpid(h->pid, NULL, 0), h->pid);
}

static void
test_nobody_holds_it(void **state)
{
	char text[LOCKFILE_TEXT_MAX];
	pid_t holder = 99;
	int fd = -1;

	assert_int_equal(lockfile_holder("/tmp/no/such/file", &holder), 0);
	assert_int_equal(holder, 0);
	assert_int_equal(lockfile_read_extra("/tmp/no/such/file", text), -ENOENT);
	assert_int_equal(lockfile_read_extra(*state, text), 0);
	assert_string_equal(text, "");
	assert_int_equal(lockfile_acquire(*state, 0, &fd, &holder), 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	/* Held, but nobody is named yet. */
	assert_int_equal(lockfile_holder(*state, &holder), -ESRCH);
	assert_int_equal(lockfile_write(fd, SPAN("one\ntwo\n")), 0);
	assert_int_equal(lockfile_holder(*state, &holder), 0);
	assert_int_equal(holder, getpid());
	assert_int_equal(lockfile_read_extra(*state, text), 0);
	assert_string_equal(text, "one\ntwo\n");
	assert_int_equal(lockfile_write(fd, SPAN("")), 0);
	assert_int_equal(lockfile_read_extra(*state, text), 0);
	assert_string_equal(text, "");
	lockfile_release(fd);
	assert_int_equal(lockfile_holder(*state, &holder), 0);
	assert_int_equal(holder, 0);
}

static void
test_held_by_the_living(void **state)
{
	struct holder h = start_holder(*state, false);
	uint64_t began_ms = clock_mono_ms();
	pid_t holder = 0;
	int fd;

	assert_int_equal(lockfile_acquire(*state, 60000, &fd, &holder), -EWOULDBLOCK);
	assert_int_equal(holder, h.pid);
	assert_true(clock_mono_ms() - began_ms < 30000);
	assert_int_equal(lockfile_holder(*state, &holder), 0);
	assert_int_equal(holder, h.pid);
	kill_holder(&h);
	(void)close(h.say_fd);
	assert_int_equal(lockfile_holder(*state, &holder), 0);
	assert_int_equal(holder, 0);
	assert_int_equal(lockfile_acquire(*state, 0, &fd, &holder), 0);
	lockfile_release(fd);
}

static void
test_held_by_an_orphan(void **state)
{
	struct holder h = start_holder(*state, true);
	pid_t holder = 99, helper;
	int fd = -1, status = -1;

	kill_holder(&h);
	assert_int_equal(lockfile_holder(*state, &holder), -ESRCH);
	assert_int_equal(lockfile_acquire(*state, 30, &fd, &holder), -EWOULDBLOCK);
	assert_int_equal(holder, 0);
	/* The orphan ends while the next one waits. */
	helper = fork();
	if (helper == 0) {
		(void)close(h.say_fd);
		_exit(lockfile_acquire(*state, 60000, &fd, &holder) == 0 ? 0 : 1);
	}
	(void)close(h.say_fd);
	assert_int_equal(lockfile_acquire(*state, 60000, &fd, &holder), 0);
	lockfile_release(fd);
	assert_int_equal(waitpid(helper, &status, 0), helper);
	assert_int_equal(status, 0);
}

static void
test_release_frees_for_children_too(void **state)
{
	pid_t child, holder;
	int fd = -1, say[2], second;

	assert_int_equal(lockfile_acquire(*state, 0, &fd, &holder), 0);
	assert_int_equal(pipe(say), 0);
	child = fork();
	if (child == 0) {
		(void)close(say[1]);
		wait_for_end_of_file(say[0]);
		_exit(0);
	}
	lockfile_release(fd);
	assert_int_equal(lockfile_acquire(*state, 0, &second, &holder), 0);
	lockfile_release(second);
	(void)close(say[0]);
	(void)close(say[1]);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* The lock is held by this process, whatever the file says. */
static void
test_names_are_verified(void **state)
{
	char text[128];
	pid_t holder;
	int fd = -1;

	assert_int_equal(lockfile_acquire(*state, 0, &fd, &holder), 0);
	/* Our pid, but another start: the number was used again. */
	(void)snprintf(text, sizeof(text), "%d\n1\n", getpid());
	write_file(*state, text);
	assert_int_equal(lockfile_holder(*state, &holder), -ESRCH);
	write_file(*state, "0\n0\n");
	assert_int_equal(lockfile_holder(*state, &holder), -ESRCH);
	write_file(*state, "-1\n5\n");
	assert_int_equal(lockfile_holder(*state, &holder), -ESRCH);
	write_file(*state, "99999999999\n5\n");
	assert_int_equal(lockfile_holder(*state, &holder), -ESRCH);
	write_file(*state, "rubbish");
	assert_int_equal(lockfile_holder(*state, &holder), -ESRCH);
	lockfile_release(fd);
}

/* Somebody made a file of his own in the folder that was given to him, and named us. */
static void
test_somebody_names_a_stranger(void **state)
{
	pid_t holder;
	int fd = -1;

	assert_int_equal(lockfile_acquire(*state, 0, &fd, &holder), 0);
	assert_int_equal(lockfile_write(fd, SPAN("")), 0);
	if (geteuid() != 0 || fchown(fd, 65534, 65534) < 0) {
		lockfile_release(fd);
		skip(); /* not root, or of a namespace that knows root alone */
	}
	assert_int_equal(lockfile_holder(*state, &holder), -ESRCH);
	lockfile_release(fd);
	/* And it becomes the next holder's own. */
	assert_int_equal(lockfile_acquire(*state, 0, &fd, &holder), 0);
	assert_int_equal(lockfile_write(fd, SPAN("")), 0);
	assert_int_equal(lockfile_holder(*state, &holder), 0);
	assert_int_equal(holder, getpid());
	lockfile_release(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nobody_holds_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_held_by_the_living, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_held_by_an_orphan, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_release_frees_for_children_too, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_names_are_verified, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_somebody_names_a_stranger, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
