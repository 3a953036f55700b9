/*
 * Why this file exists: the one place that knows whether there is a libsystemd.
 */
#include "sys/notify.h"

#include <stdlib.h>

#include "config.h"

#ifdef LURKBOT_SYSTEMD

#include <systemd/sd-daemon.h>

bool
notify_is_wanted(void)
{
	return getenv("NOTIFY_SOCKET") != NULL;
}

int
notify_send(const char *assignments, const int *fds, unsigned n)
{
	int r = sd_pid_notify_with_fds(0, 0, assignments, fds, n);

	return r < 0 ? r : 0;
}

int
notify_settle(unsigned timeout_ms)
{
	int r = sd_notify_barrier(0, timeout_ms * UINT64_C(1000));

	return r < 0 ? r : 0;
}

uint64_t
notify_watchdog_us(void)
{
	uint64_t us = 0;

	return sd_watchdog_enabled(0, &us) > 0 ? us : 0;
}

#else

bool
notify_is_wanted(void)
{
	return false;
}

int
notify_send(const char *assignments, const int *fds, unsigned n)
{
	(void)assignments;
	(void)fds;
	(void)n;
	return 0;
}

int
notify_settle(unsigned timeout_ms)
{
	(void)timeout_ms;
	return 0;
}

uint64_t
notify_watchdog_us(void)
{
	return 0;
}

#endif

void
notify_forget(void)
{
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
}
