/*
 * The order counts: groups can be changed only as long as the user may do that, and capabilities
 * given up only after they were used. That there is no way back is tried, not believed.
 */
#include "sys/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/parse.h"
#include "base/span.h"

enum { ENTRY_BYTES = 16 * 1024, ENTRY_BYTES_MAX = 16 * 1024 * 1024 };

/* --- finding -------------------------------------------------------------------------------- */

/* The number that the text is, or -1 (which is nobody's). */
static uint32_t
number_of(const char *text)
{
	uint64_t n;

	return parse_u64(span_cstr(text), UINT32_MAX - 1, &n) == 0 ? (uint32_t)n : UINT32_MAX;
}

/* Looks somebody up with as much room as the entry takes: 0, -ENOENT, -ENOMEM, -errno. */
static int
look_up(int (*ask)(const char *name, char *store, size_t n, void *ret), const char *name, void *ret)
{
	size_t n = ENTRY_BYTES;
	char *store = NULL;
	int r;

	do {
		mem_free(store);
		store = mem_alloc(n);
		if (store == NULL)
			return -ENOMEM;
		r = ask(name, store, n, ret);
		n *= 2;
	} while (r == -ERANGE && n <= ENTRY_BYTES_MAX);
	mem_free(store);
	return r;
}

static int
ask_user(const char *name, char *store, size_t n, void *ret)
{
	uint32_t number = number_of(name);
	struct passwd entry, *found = NULL;
	struct identity *identity = ret;
	int error = number != UINT32_MAX ? getpwuid_r(number, &entry, store, n, &found)
					 : getpwnam_r(name, &entry, store, n, &found);

	if (found == NULL)
		return error != 0 ? -error : -ENOENT;
	identity->uid = found->pw_uid;
	identity->gid = found->pw_gid;
	(void)snprintf(identity->name, sizeof(identity->name), "%s", found->pw_name);
	return 0;
}

static int
ask_group(const char *name, char *store, size_t n, void *ret)
{
	struct group entry, *found = NULL;
	int error = getgrnam_r(name, &entry, store, n, &found);

	if (found == NULL)
		return error != 0 ? -error : -ENOENT;
	*(gid_t *)ret = found->gr_gid;
	return 0;
}

int
identity_find(const char *user, struct identity *ret)
{
	uint32_t number = number_of(user);
	int r = look_up(ask_user, user, ret);

	if (r < 0 && r != -ENOMEM && number != UINT32_MAX) {
		*ret = (struct identity){ .uid = number, .gid = number };
		(void)snprintf(ret->name, sizeof(ret->name), "%s", user);
		r = 0;
	}
	return r;
}

int
identity_set_group(struct identity *identity, const char *group)
{
	uint32_t number = number_of(group);

	if (number == UINT32_MAX)
		return look_up(ask_group, group, &identity->gid);
	identity->gid = number;
	return 0;
}

void
identity_get_own(struct identity *ret)
{
	char number[16];

	(void)snprintf(number, sizeof(number), "%u", geteuid());
	*ret = (struct identity){ .uid = geteuid() };
	if (identity_find(number, ret) < 0)
		(void)snprintf(ret->name, sizeof(ret->name), "%s", number);
	ret->gid = getegid();
}

/* --- dropping ------------------------------------------------------------------------------- */

/* Only with CAP_SETPCAP; where that is wanting no_new_privs is what keeps them from coming back. */
static void
empty_bounding_set(void)
{
	for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0;
	     capability++)
		(void)prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

static int
become(const struct identity *identity)
{
	bool is_other = identity->uid != geteuid() || identity->gid != getegid();

	/* Some namespaces refuse this to their root, who then keeps groups that count for nothing. */
	if (geteuid() == 0 && setgroups(0, NULL) < 0 && is_other)
		return -errno;
	if (!is_other)
		return 0;
	if (setresgid(identity->gid, identity->gid, identity->gid) < 0 ||
	    setresuid(identity->uid, identity->uid, identity->uid) < 0)
		return -errno;
	return identity->uid != 0 && setresuid(0, 0, 0) == 0 ? -EPERM : 0;
}

static bool
has_capabilities(const struct __user_cap_data_struct set[_LINUX_CAPABILITY_U32S_3])
{
	for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		if (set[i].effective != 0 || set[i].permitted != 0 || set[i].inheritable != 0)
			return true;
	return false;
}

/* A service manager may have filtered capset away: then nothing must be left to be given up. */
static int
drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct set[_LINUX_CAPABILITY_U32S_3];
	int r;

	memset(set, 0, sizeof(set));
	/* Fails only where there are none of this kind. */
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &header, set) == 0)
		return 0;
	r = -errno;
	if (syscall(SYS_capget, &header, set) < 0 || has_capabilities(set))
		return r;
	return 0;
}

int
privileges_drop(const struct identity *identity)
{
	int r;

	empty_bounding_set();
	r = become(identity);
	if (r == 0)
		r = drop_capabilities();
	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = -errno;
	return r;
}
