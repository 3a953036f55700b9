/* One fork: the parent gets a pid, and the child becomes what sys/inherit.h promises. */
#pragma once

#include <sys/types.h>

#include "base/macros.h"

struct inherit;
struct proctitle;

struct spawn_order {
	int (*main)(const struct inherit *inherit);
	const struct inherit *inherit;
	const char *name; /* "worker 0": in the log, and with "lurkbot: " before it as title */
	struct proctitle *title; /* or NULL */
};

/*
 * Starts the child. Returns 0 with its pid, or -errno of fork. Never returns in the child, which
 * exits with what main returns; it is killed when this process dies.
 */
int spawn_child(const struct spawn_order *order, pid_t *ret_pid) must_check;
