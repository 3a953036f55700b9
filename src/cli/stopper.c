/*
 * A pid may be used again between reading and signalling it. So the process is held by a pidfd
 * first, and the lock asked once more: whoever holds it then is the process that the pidfd means.
 */
#include "cli/stopper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "cli/endpoint.h"
#include "cli/output.h"
#include "supervisor/supervisor.h"
#include "sys/lockfile.h"
#include "sys/paths.h"

enum { ORPHANS_MS = 3000, LOOK_AGAIN_MS = 50 };

static int
find_in(const char *lock, pid_t *ret_pid)
{
	uint64_t deadline_ms = clock_mono_ms() + ORPHANS_MS;
	int rc = lockfile_holder(lock, ret_pid);

	while (rc == -ESRCH && clock_mono_ms() < deadline_ms) {
		poll(NULL, 0, LOOK_AGAIN_MS);
		rc = lockfile_holder(lock, ret_pid);
	}
	return rc;
}

int
stopper_find(const char *home, pid_t *ret_pid)
{
	char *lock = paths_lock(home);
	int rc = lock != NULL ? find_in(lock, ret_pid) : -ENOMEM;

	mem_free(lock);
	return rc;
}

/* Opens the running gateway's pidfd. 0 with -1 when none runs. */
static int
open_running(const char *home, pid_t *ret_pid, int *ret_pidfd)
{
	pid_t pid = 0, again = 0;
	int pidfd = -1;
	int rc = stopper_find(home, &pid);

	if (rc == 0 && pid != 0) {
		pidfd = pidfd_open(pid, 0);
		if (pidfd < 0 && errno != ESRCH)
			return -errno;
	}
	if (pidfd >= 0) {
		rc = stopper_find(home, &again);
		if (rc != 0 || again != pid) {
			close(pidfd);
			pidfd = -1;
		}
	}
	*ret_pid = pid;
	*ret_pidfd = pidfd;
	return rc;
}

static enum cli_status
end_process(pid_t pid, int pidfd, uint64_t timeout_ms, bool restarts)
{
	siginfo_t info = { .si_signo = SIGTERM, .si_code = SI_QUEUE };
	int rc;

	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_int = restarts ? SUPERVISOR_RESTARTS : 0;
	if (pidfd_send_signal(pidfd, SIGTERM, &info, 0) != 0 && errno != ESRCH) {
		output_error("Cannot stop the gateway (pid %d): %s", (int)pid, strerror(errno));
		return CLI_FAILED;
	}
	rc = endpoint_wait(pidfd, POLLIN, clock_mono_ms() + timeout_ms);
	if (rc == 0)
		return CLI_OK;
	output_error("Gateway (pid %d) has not ended yet: %s", (int)pid,
	    rc == -ETIMEDOUT ? "it is still stopping" : strerror(-rc));
	return CLI_FAILED;
}

enum cli_status
stopper_stop(const char *home, uint64_t timeout_ms, bool restarts, pid_t *ret_pid)
{
	enum cli_status status;
	int pidfd = -1;
	int rc = open_running(home, ret_pid, &pidfd);

	if (rc != 0) {
		output_error("Cannot find the running gateway: %s",
		    rc == -ESRCH ? "its lock is held, but by a process unknown" : strerror(-rc));
		return CLI_FAILED;
	}
	if (pidfd < 0)
		return CLI_UNREACHABLE;
	status = end_process(*ret_pid, pidfd, timeout_ms, restarts);
	close(pidfd);
	return status;
}
