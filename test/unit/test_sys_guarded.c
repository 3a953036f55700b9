/*
 * What root opens in folders of others. As an ordinary user nothing is guarded, which is tested too: then
 * it is all that is.
 */
#include "support_cmocka.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/guarded.h"

enum { PATH_BYTES = 64, SOMEBODY = 65534 };

static const char *const names[] = { "file", "other", "link", "fifo", "folder" };

static char folder[32];

static void
name_path(char path[PATH_BYTES], const char *name)
{
	(void)snprintf(path, PATH_BYTES, "%s/%s", folder, name);
}

static int
set_up(void **state)
{
	(void)state;
	(void)strcpy(folder, "/tmp/guarded-XXXXXX");
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	char path[PATH_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		name_path(path, names[i]);
		(void)remove(path);
	}
	return rmdir(folder);
}

/* Gives the folder to somebody. False: we may not, so all that is in it is ours. */
static bool
give_away(void)
{
	return geteuid() == 0 && chown(folder, SOMEBODY, SOMEBODY) == 0;
}

static int
open_at(const char *name, int flags, bool give)
{
	char path[PATH_BYTES];
	int fd = -1, r;

	name_path(path, name);
	r = guarded_open(path, flags, 0600, give, &fd);
	if (r == 0)
		assert_int_equal(close(fd), 0);
	return r;
}

static void
test_open_makes_and_appends(void **state)
{
	char path[PATH_BYTES];
	struct stat st;
	int fd;

	(void)state;
	name_path(path, "file");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(guarded_open(path, O_WRONLY | O_APPEND, 0600, true, &fd), 0);
		assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
		assert_int_equal(write(fd, "x", 1), 1);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_size, i + 1);
		assert_int_equal(st.st_mode & 07777, 0600);
		assert_int_equal(st.st_uid, geteuid());
		(void)close(fd);
	}
	assert_int_equal(guarded_open("/no/such/folder", O_RDWR, 0600, true, &fd), -ENOENT);
}

static void
test_ones_own_links_are_followed(void **state)
{
	char path[PATH_BYTES];

	(void)state;
	name_path(path, "link");
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(open_at("link", O_WRONLY, true), 0);
	assert_int_equal(open_at("link", O_WRONLY | O_NOFOLLOW, true), -ELOOP);
}

static void
test_what_somebody_else_may_have_put_there(void **state)
{
	char path[PATH_BYTES], other[PATH_BYTES];

	(void)state;
	if (!give_away())
		skip(); /* not root, or of a namespace that knows root alone */
	name_path(other, "other");
	assert_int_equal(open_at("other", O_RDWR, false), 0);
	name_path(path, "link");
	assert_int_equal(symlink(other, path), 0);
	assert_int_equal(open_at("link", O_RDWR, false), -ELOOP);
	name_path(path, "file");
	assert_int_equal(link(other, path), 0);
	assert_int_equal(open_at("file", O_RDWR, false), -EPERM);
	assert_int_equal(open_at("other", O_RDWR, false), -EPERM);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(open_at("other", O_RDWR, false), 0);
	/* Nobody is waited for. */
	name_path(path, "fifo");
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(open_at("fifo", O_WRONLY, false), -ENXIO);
	assert_int_equal(open_at("fifo", O_RDONLY, false), -EPERM);
	/* A folder of root's in which others may make names is no better. */
	assert_int_equal(chown(folder, 0, 0), 0);
	assert_int_equal(open_at("link", O_RDWR, false), 0);
	assert_int_equal(chmod(folder, 0770), 0);
	assert_int_equal(open_at("link", O_RDWR, false), -ELOOP);
}

static void
test_what_is_made_there_is_given(void **state)
{
	char path[PATH_BYTES];
	struct stat st;

	(void)state;
	if (!give_away())
		skip();
	assert_int_equal(open_at("file", O_RDWR, true), 0);
	name_path(path, "file");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, SOMEBODY);
	assert_int_equal(st.st_gid, SOMEBODY);
	assert_int_equal(open_at("other", O_RDWR, false), 0);
	name_path(path, "other");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 0);
	/* It stays whose it is. */
	assert_int_equal(open_at("other", O_RDWR, true), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 0);
}

static void
test_give_folder(void **state)
{
	char path[PATH_BYTES];
	struct stat st;

	(void)state;
	name_path(path, "folder");
	assert_int_equal(guarded_give_folder(path, geteuid(), getegid()), -ENOENT);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(guarded_give_folder(path, geteuid(), getegid()), 0);
	if (geteuid() != 0) {
		assert_int_equal(guarded_give_folder(path, 0, 0), -EPERM);
		return;
	}
	if (guarded_give_folder(path, SOMEBODY, SOMEBODY - 1) < 0)
		skip(); /* a namespace that knows root alone */
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, SOMEBODY);
	assert_int_equal(st.st_gid, SOMEBODY - 1);
}

static void
test_links_to_folders_are_left_alone(void **state)
{
	char path[PATH_BYTES];
	struct stat before, after;

	(void)state;
	name_path(path, "link");
	assert_int_equal(stat("/etc", &before), 0);
	assert_int_equal(symlink("/etc", path), 0);
	assert_int_equal(guarded_give_folder(path, SOMEBODY, SOMEBODY), 0);
	assert_int_equal(stat("/etc", &after), 0);
	assert_int_equal(after.st_uid, before.st_uid);
	name_path(path, "file");
	assert_int_equal(open_at("file", O_RDWR, false), 0);
	assert_int_equal(guarded_give_folder(path, geteuid(), getegid()), -ENOTDIR);
}

#define guarded_test(body) cmocka_unit_test_setup_teardown(body, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		guarded_test(test_open_makes_and_appends),
		guarded_test(test_ones_own_links_are_followed),
		guarded_test(test_what_somebody_else_may_have_put_there),
		guarded_test(test_what_is_made_there_is_given),
		guarded_test(test_give_folder),
		guarded_test(test_links_to_folders_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
