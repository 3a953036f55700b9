/*
 * Telling the service manager how things are: sd_notify(3), by libsystemd.
 *
 * Nothing is sent where nobody asked for it (NOTIFY_SOCKET), and in a program that was built without
 * libsystemd. The variables of sd_notify(3) and sd_watchdog_enabled(3) are read from the environment.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

/* Whether somebody wants to be told. */
bool notify_is_wanted(void);

/*
 * Sends assignments, `READY=1` and the like, with a newline between them; N descriptors, which stay the
 * caller's, go along. It waits while the service manager's queue is full.
 * Returns 0, also when nobody wants to be told; or -errno.
 */
int notify_send(const char *assignments, const int *fds, unsigned n) must_check;

/*
 * Waits until the service manager has dealt with all that was sent so far. Returns 0, -ETIMEDOUT, or another
 * -errno.
 */
int notify_settle(unsigned timeout_ms) must_check;

/* How often WATCHDOG=1 is wanted at the least, in microseconds; 0: never, or not from this process. */
uint64_t notify_watchdog_us(void);

/* Takes what concerns the service manager out of the environment: a child is not to speak for us. */
void notify_forget(void);
