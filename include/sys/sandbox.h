/*
 * The last door that a process closes behind itself: a filter of system calls, for one that has all
 * that it needs open. Afterwards it can read, write, send, receive and accept on what it has, take
 * and give back memory, wait, and end. It can open no file, make no socket and no connection, start
 * no program and no process, and reach no other process; what it needs from outside it is given over
 * its control socket.
 *
 * A call that is not allowed fails with EPERM, as a rule, and the process goes on: libraries try a
 * thing or two that they can do without. A few that nothing of ours ever makes, and that are what a
 * stranger would begin with once he had the process (sandbox.c names them), end it by SIGSYS.
 */
#pragma once

#include <stdbool.h>

#include "base/macros.h"

/* Whether this program was built with it. */
bool sandbox_is_built_in(void);

/*
 * Closes the door; there is no way back. WITH_URING: a ring of sys/uring.h is open, and may be used on.
 * Returns 0, also where the program was built without; -ENOMEM; or another -errno where the kernel has no
 * such filters.
 */
int sandbox_enter(bool with_uring) must_check;
