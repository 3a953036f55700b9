/*
 * Files of root in folders of others. Whoever owns a folder decides what its names lead to: to a file of
 * root's, by a link, if root opened it without a look.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/macros.h"

/*
 * Gives a folder to somebody, for root. A symbolic link is left alone, and so is what it leads to: somebody
 * made it on purpose. Returns 0 or -errno.
 */
int guarded_give_folder(const char *path, uid_t uid, gid_t gid) must_check;

/*
 * As open(2), for reading and writing as FLAGS say, close-on-exec; a file that is missing is made with MODE.
 * For root, in a folder where somebody else may make names, it must be no link and a file with one name. With
 * GIVE, a file that is made there belongs to the folder's owner.
 * Returns 0; -ELOOP for a symbolic link there; -EPERM for what is no file, or has more names; or another -errno.
 */
int guarded_open(const char *path, int flags, mode_t mode, bool give, int *ret_fd) must_check;
