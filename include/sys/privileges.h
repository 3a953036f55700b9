/*
 * Who a process is, and what it may do by that: the user that children become when the gateway was
 * started as root, and giving up every privilege for good.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/macros.h"

enum { IDENTITY_NAME_MAX = 64 };

struct identity {
	uid_t uid;
	gid_t gid;
	char name[IDENTITY_NAME_MAX]; /* of the user, for people */
};

/* Whom this process is, and its group. */
void identity_get_own(struct identity *ret);

/*
 * The user of this name or number, with its own group; a number that nobody has is taken as it is,
 * for the group too. Returns 0, -ENOENT when there is no such user, -ENOMEM, or what the user database failed
 * with.
 */
int identity_find(const char *user, struct identity *ret) must_check;

/* Puts the group of this name or number in place of the user's own. Returns as identity_find does. */
int identity_set_group(struct identity *identity, const char *group) must_check;

/*
 * Becomes the identity, for good: no other groups; no capabilities, also none to come back to by the
 * bounding set; no_new_privs, so that no program that is started has more. What is who it is already
 * gives up the rest alone, root its capabilities too. Clears PR_SET_PDEATHSIG where the user changes.
 * Returns 0 or -errno; then the process is in between, and has to end.
 */
int privileges_drop(const struct identity *identity) must_check;
