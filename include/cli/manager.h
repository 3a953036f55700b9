/*
 * The service manager of the user, `systemctl --user`, where it runs.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/macros.h"
#include "cli/status.h"

enum { MANAGER_WORD_MAX = 64 };

/* What it knows of the unit. Words are systemd's own: "active", "enabled", "exit-code". */
struct manager_state {
	char active[MANAGER_WORD_MAX];	/* "active", "inactive", "failed", "activating", … */
	char enabled[MANAGER_WORD_MAX]; /* "enabled", "disabled", …; empty: it knows of no unit */
	char result[MANAGER_WORD_MAX];	/* "success", "exit-code", "signal", "watchdog", … */
	pid_t pid;			/* 0: none */
	int exit_status;   /* of the last end: a status, or a signal when result says so */
	unsigned restarts; /* since it was started by hand */
};

/* Whether one can be reached; if not, ret_why gets half a sentence that says why. */
bool manager_is_there(struct buf *ret_why);

/*
 * Runs `systemctl --user VERB UNIT`, or without the unit where it is NULL. CLI_OK; CLI_FAILED, and
 * what systemctl said was printed on standard error.
 */
enum cli_status manager_do(const char *verb, const char *unit) must_check;

/* Asks about the gateway's unit. 0 or -errno; -EPROTO: systemctl failed. */
int manager_show(struct manager_state *ret) must_check;

/*
 * The last error that the unit wrote into the journal within a day, in out, empty when there is
 * none. 0 or -errno; -EPROTO: the journal cannot be read.
 */
int manager_last_error(struct buf *out) must_check;
