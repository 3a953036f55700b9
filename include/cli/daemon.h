/*
 * Leaving a process behind that outlives the terminal, and knowing whether it came up.
 *
 *	launcher   what the person started; waits for the watcher and takes over its status
 *	watcher    in a session of its own; waits until the daemon is ready, and tells the person
 *	daemon     its child: no session leader, standard streams on /dev/null
 *
 * The watcher is the daemon's parent, so it knows its pid and, if it ends early, its exit status.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/macros.h"

enum daemon_role { DAEMON_LAUNCHER, DAEMON_WATCHER, DAEMON_ITSELF };

enum { DAEMON_REASON_MAX = 1024 };

struct daemon {
	int status;   /* launcher: the watcher's exit status */
	pid_t pid;    /* watcher: the daemon's */
	int ready_fd; /* watcher: where it reads from; daemon: where it writes "ready\n" or why not */
};

/*
 * Forks twice. Returns in each of the three with its role (in the launcher when the watcher has
 * ended), or -errno when it could not be done, in whichever process found out. Standard output must
 * be flushed before.
 */
int daemon_fork(struct daemon *ret) must_check;

/*
 * In the watcher: waits up to limit_ms for the daemon's word. 0: it is ready. Otherwise the exit
 * status that the daemon ended with, or 1, and the reason in ret_reason (one line, perhaps empty).
 * A daemon that has said nothing by then is told to end.
 */
int daemon_await(struct daemon *, uint64_t limit_ms, char ret_reason[DAEMON_REASON_MAX]) must_check;
