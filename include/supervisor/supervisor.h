/*
 * The supervisor: it binds, forks, watches, restarts and stops the other processes of the
 * gateway, and touches no byte of a client. The entry functions of the others are data to it.
 */
#pragma once

#include <stdbool.h>

#include "base/macros.h"

struct conf;
struct conf_request;
struct inherit;
struct proctitle;

/*
 * What the child processes run. A main function gets a process set up as sys/inherit.h says,
 * sends CONTROL_READY when it serves, drains and returns 0 upon CONTROL_DRAIN, and exits at once
 * when the control socket ends. What it returns is the exit status of the process; 2 means that
 * it cannot work with this configuration, and is not tried again.
 */
struct supervisor_program {
	int (*worker_main)(const struct inherit *inherit);
};

/* What SIGTERM brings along, by sigqueue(3), where the gateway is started again at once. */
enum { SUPERVISOR_RESTARTS = 1 };

struct supervisor_options {
	const struct conf *conf;
	const struct conf_request *reload; /* what to load again at a reload; NULL: there is none */
	int ready_fd; /* -1, or a pipe: gets "ready\n" or the reason of failure, then is closed */
	bool foreground;	 /* the log goes to standard error too */
	struct proctitle *title; /* or NULL */
};

/*
 * Runs the gateway until it is stopped by a signal: SIGTERM and SIGINT gracefully; SIGQUIT, or a
 * second one, at once; SIGHUP reloads the configuration, SIGUSR1 opens the log again. The reason of a failed start is logged and written to ready_fd.
 * Returns the exit status for main: 0 after a stop that was asked for, 1 when it could not start,
 * 2 when the workers refused the configuration. The caller must be single-threaded and own no
 * libevent state; the signal mask is put back.
 */
int supervisor_run(
    const struct supervisor_options *options, const struct supervisor_program *program) must_check;
