/*
 * Who somebody is; and that a process which became somebody has nothing left, and no way back. Parts of it
 * need root, and are skipped without.
 */
#include "support_cmocka.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support_children.h"
#include "sys/privileges.h"

/* Of a system that has them all. */
enum { SOMEBODY = 65534 };

static void
test_find(void **state)
{
	struct identity root, same, nobody;

	(void)state;
	assert_int_equal(identity_find("root", &root), 0);
	assert_int_equal(root.uid, 0);
	assert_int_equal(root.gid, 0);
	assert_string_equal(root.name, "root");
	assert_int_equal(identity_find("0", &same), 0);
	assert_string_equal(same.name, "root");
	assert_int_equal(identity_find("no-such-user", &nobody), -ENOENT);
	assert_int_equal(identity_find("-1", &nobody), -ENOENT);
	/* (uid_t)-1 is nobody's: setresuid takes it for "as it was". */
	assert_int_equal(identity_find("4294967295", &nobody), -ENOENT);
	assert_int_equal(identity_find("3999999999", &nobody), 0);
	assert_int_equal(nobody.uid, 3999999999);
	assert_int_equal(nobody.gid, 3999999999);
	assert_string_equal(nobody.name, "3999999999");
}

static void
test_group(void **state)
{
	struct identity root;

	(void)state;
	assert_int_equal(identity_find("root", &root), 0);
	assert_int_equal(identity_set_group(&root, "no-such-group"), -ENOENT);
	assert_int_equal(root.gid, 0);
	assert_int_equal(identity_set_group(&root, "daemon"), 0);
	assert_int_not_equal(root.gid, 0);
	assert_int_equal(identity_set_group(&root, "77"), 0);
	assert_int_equal(root.gid, 77);
}

static void
test_own(void **state)
{
	struct identity own;

	(void)state;
	identity_get_own(&own);
	assert_int_equal(own.uid, geteuid());
	assert_int_equal(own.gid, getegid());
	assert_int_not_equal(own.name[0], '\0');
}

static bool
has_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3], none[ARRAY_LEN(sets)];

	memset(none, 0, sizeof(none));
	memset(sets, 1, sizeof(sets));
	return syscall(SYS_capget, &header, sets) < 0 || memcmp(sets, none, sizeof(none)) != 0 ||
	       prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_BIND_SERVICE, 0, 0) == 1;
}

/* The number of the first thing that is not as it should be; 0: there is none. */
static int
look_at(const struct identity *wanted)
{
	uid_t real, effective, saved;
	gid_t group, effective_group, saved_group;

	if (getresuid(&real, &effective, &saved) < 0 || real != wanted->uid ||
	    effective != wanted->uid || saved != wanted->uid)
		return 1;
	if (getresgid(&group, &effective_group, &saved_group) < 0 || group != wanted->gid ||
	    effective_group != wanted->gid || saved_group != wanted->gid)
		return 2;
	if (has_capabilities())
		return 3;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 4;
	if (wanted->uid != 0 && (setuid(0) == 0 || setgid(0) == 0))
		return 5;
	if (wanted->uid != 0 && open("/etc/shadow", O_RDONLY | O_CLOEXEC) >= 0)
		return 6;
	return 0;
}

static void
check_drop(const struct identity *wanted, bool groups_too)
{
	pid_t pid = support_fork();

	if (pid == 0) {
		if (privileges_drop(wanted) < 0)
			_exit(100);
		if (groups_too && getgroups(0, NULL) != 0)
			_exit(101);
		_exit(look_at(wanted));
	}
	assert_int_equal(support_reap(pid), 0);
}

/* Who is to stay who it is, an ordinary user or root, gives up the rest. */
static void
test_stay(void **state)
{
	struct identity own;

	(void)state;
	identity_get_own(&own);
	check_drop(&own, false);
}

/* Whether there is somebody else to become: as root, in a namespace that knows others. */
static bool
can_become_others(void)
{
	pid_t pid;

	if (geteuid() != 0)
		return false;
	pid = support_fork();
	if (pid == 0)
		_exit(setgroups(0, NULL) == 0 && setresuid(SOMEBODY, SOMEBODY, SOMEBODY) == 0);
	return support_reap(pid) == 1;
}

static void
test_become_another(void **state)
{
	const struct identity somebody = {
		.uid = SOMEBODY, .gid = SOMEBODY - 1, .name = "somebody"
	};

	(void)state;
	if (!can_become_others())
		skip(); /* not root, or of a namespace that knows root alone */
	check_drop(&somebody, true);
}

static void
test_an_ordinary_user_becomes_nobody_else(void **state)
{
	const struct identity root = { .uid = 0, .gid = 0, .name = "root" };
	pid_t pid;

	(void)state;
	if (geteuid() == 0 && !can_become_others())
		skip();
	pid = support_fork();
	if (pid == 0) {
		if (geteuid() == 0 && setresuid(SOMEBODY, SOMEBODY, SOMEBODY) < 0)
			_exit(100);
		_exit(privileges_drop(&root) == -EPERM ? 0 : 1);
	}
	assert_int_equal(support_reap(pid), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_stay),
		cmocka_unit_test(test_become_another),
		cmocka_unit_test(test_an_ordinary_user_becomes_nobody_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
