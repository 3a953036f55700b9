/*
 * Files and folders of the gateway: where they are, and making them. Every string is heap memory:
 * mem_free it.
 */
#pragma once

#include <sys/types.h>

#include "base/macros.h"

enum { PATHS_SEGMENT_NAME_MAX = 40 };

/* DIRECTORY/NAME. Returns NULL without memory. */
char *paths_join(const char *directory, const char *name) must_check;

/*
 * Makes PATH and what is missing above it; each folder that it makes has mode 0700, those that
 * were there are left as they are. Returns 0, -ENOTDIR when something else is in the way, or
 * -errno.
 */
int paths_make_folder(const char *path) must_check;

/* $LURKBOT_HOME/run/gateway.lock: see sys/lockfile.h. NULL without memory. */
char *paths_lock(const char *home) must_check;

/* $LURKBOT_HOME/run/gateway.sock: the command line's way in. NULL without memory. */
char *paths_socket(const char *home) must_check;

/*
 * The name of the shared segment, `/lurkbot-UID-HHHHHHHH`: the digits are from SHA-256 of the
 * canonical path of HOME, which must exist. Returns 0 or -errno.
 */
int paths_segment_name(
    const char *home, uid_t uid, char ret_name[PATHS_SEGMENT_NAME_MAX]) must_check;
