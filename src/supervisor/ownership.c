/*
 * Why this file exists: a gateway is started as root for its port or by its service manager, and no byte
 * of a client's should ever be read by root. What is not said is decided here, and what was decided
 * is said.
 */
#include "supervisor/ownership.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "conf/data.h"
#include "sys/guarded.h"
#include "sys/paths.h"
#include "sys/privileges.h"
#include "sys/sandbox.h"

static bool
is_root(void)
{
	return geteuid() == 0;
}

static int
explain_account(const char *key, const char *name, int error, struct buf *reason)
{
	if (error == -ENOENT)
		buf_printf(reason, "%s: this machine knows no %s", key, name);
	else
		buf_printf(reason, "%s: cannot look up %s: %s", key, name, strerror(-error));
	return error;
}

/* Those whom we become when nobody is named. */
static int
find_default(struct identity *ret, const char **ret_name)
{
	int r = identity_find(*ret_name = "lurkbot", ret);

	return r == -ENOENT ? identity_find(*ret_name = "nobody", ret) : r;
}

int
ownership_decide(const struct conf *conf, struct identity *ret, struct buf *reason)
{
	const char *user = conf->gateway.user, *group = conf->gateway.group;
	int r;

	identity_get_own(ret);
	if (!is_root())
		return 0;
	r = user[0] != '\0' ? identity_find(user, ret) : find_default(ret, &user);
	if (r < 0)
		return explain_account("gateway.user", user, r, reason);
	if (group[0] == '\0')
		return 0;
	r = identity_set_group(ret, group);
	return r < 0 ? explain_account("gateway.group", group, r, reason) : 0;
}

int
ownership_make_folder(
    const struct conf *conf, const struct identity *identity, const char *name, struct buf *reason)
{
	char *path = paths_join(conf->home, name);
	const char *place = path != NULL ? path : conf->home;
	int r = path != NULL ? paths_make_folder(path) : -ENOMEM;

	if (r < 0) {
		buf_printf(reason, "Cannot make the folder %s: %s", place, strerror(-r));
	} else if (is_root()) {
		r = guarded_give_folder(path, identity->uid, identity->gid);
		if (r < 0)
			buf_printf(reason, "Cannot give the folder %s to %s (gateway.user): %s",
			    place, identity->name, strerror(-r));
	}
	mem_free(path);
	return r;
}

static void
log_identity(const struct conf *conf, const struct identity *identity)
{
	const char *user = conf->gateway.user;
	struct identity wanted;

	if (is_root() && identity->uid == 0)
		log_warning(
		    "the workers run as root, by gateway.user: better name somebody who may "
		    "do little");
	else if (is_root())
		log_info(
		    "the workers run as %s (%u:%u)", identity->name, identity->uid, identity->gid);
	else if (user[0] != '\0' &&
		 (identity_find(user, &wanted) < 0 || wanted.uid != identity->uid))
		log_warning(
		    "gateway.user is %s, but only root can become somebody else: the workers "
		    "run as %s",
		    user, identity->name);
}

void
ownership_log(const struct conf *conf, const struct identity *identity)
{
	log_identity(conf, identity);
	if (!sandbox_is_built_in())
		log_info("this program was built without its sandbox");
	else if (!conf->gateway.sandbox)
		log_warning("the workers run without their sandbox, by gateway.sandbox");
}
