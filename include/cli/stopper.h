/*
 * Finding the running gateway by its lock file, and ending it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/macros.h"
#include "cli/status.h"

/*
 * The supervisor that holds the lock of this home; 0 for nobody. What is left of a dead one (its
 * workers end within a second) is waited for, up to 3 s. 0 or -errno; -ESRCH: somebody holds the
 * lock, but it cannot be told who.
 */
int stopper_find(const char *home, pid_t *ret_pid) must_check;

/*
 * Asks the running gateway to stop (SIGTERM; where it `restarts`, its clients are told so) and waits until its supervisor has ended. CLI_OK, and
 * its pid; CLI_UNREACHABLE: none runs; CLI_FAILED: it could not be told, or has not ended within
 * timeout_ms. Only for CLI_FAILED something was printed.
 */
enum cli_status stopper_stop(
    const char *home, uint64_t timeout_ms, bool restarts, pid_t *ret_pid) must_check;
