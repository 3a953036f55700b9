/*
 * The daemon keeps no descriptor of its caller's: a shell that reads our output must see its end.
 */
#include "cli/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/endpoint.h"
#include "sys/descriptor.h"

enum { EXIT_MS = 15000 };

/* Waits for a child's end: its exit status, 1 if it was killed, or -errno. */
static int
await_exit(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int
detach_streams(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; stream++) {
		if (dup2(fd, stream) < 0)
			return -errno;
	}
	return 0;
}

static int
become_daemon(int ready_fd)
{
	int rc = detach_streams();

	if (rc == 0)
		rc = descriptor_close_others(&ready_fd, 1);
	if (rc == 0 && chdir("/") != 0)
		rc = -errno;
	return rc;
}

/* In what becomes the watcher. */
static int
fork_daemon(struct daemon *ret)
{
	int fds[2];
	pid_t pid;
	int rc;

	if (setsid() < 0 || pipe2(fds, O_CLOEXEC) != 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid > 0) {
		close(fds[1]);
		*ret = (struct daemon){ .pid = pid, .ready_fd = fds[0] };
		return DAEMON_WATCHER;
	}
	rc = become_daemon(fds[1]);
	*ret = (struct daemon){ .ready_fd = fds[1] };
	return rc != 0 ? rc : DAEMON_ITSELF;
}

int
daemon_fork(struct daemon *ret)
{
	pid_t watcher = fork();
	int rc;

	if (watcher < 0)
		return -errno;
	if (watcher == 0)
		return fork_daemon(ret);
	rc = await_exit(watcher);
	if (rc < 0)
		return rc;
	*ret = (struct daemon){ .status = rc, .ready_fd = -1 };
	return DAEMON_LAUNCHER;
}

/* Reads a line, without its newline. 0; -ETIMEDOUT; -EPIPE: the writer ended without one. */
static int
read_line(int fd, uint64_t deadline_ms, char line[DAEMON_REASON_MAX])
{
	size_t len = 0;
	char *end = NULL;

	line[0] = '\0';
	while (end == NULL && len + 1 < DAEMON_REASON_MAX) {
		int rc = endpoint_wait(fd, POLLIN, deadline_ms);
		ssize_t n;

		if (rc != 0)
			return rc;
		n = read(fd, line + len, DAEMON_REASON_MAX - 1 - len);
		if (n <= 0)
			return len > 0 ? 0 : -EPIPE;
		len += (size_t)n;
		line[len] = '\0';
		end = strchr(line, '\n');
	}
	line[strcspn(line, "\n")] = '\0';
	return 0;
}

/* The status of a daemon that has failed, 1 when it does not end. */
static int
collect(pid_t pid)
{
	int pidfd = pidfd_open(pid, 0);
	int rc = pidfd < 0 ? 0 : endpoint_wait(pidfd, POLLIN, clock_mono_ms() + EXIT_MS);
	int status = rc == 0 ? await_exit(pid) : 1;

	if (pidfd >= 0)
		close(pidfd);
	return status <= 0 ? 1 : status;
}

int
daemon_await(struct daemon *d, uint64_t limit_ms, char ret_reason[DAEMON_REASON_MAX])
{
	int rc = read_line(d->ready_fd, clock_mono_ms() + limit_ms, ret_reason);

	close(d->ready_fd);
	d->ready_fd = -1;
	if (rc == 0 && strcmp(ret_reason, "ready") == 0)
		return 0;
	if (rc == -ETIMEDOUT) {
		kill(d->pid, SIGTERM);
		snprintf(ret_reason, DAEMON_REASON_MAX, "not ready within %u s",
		    (unsigned)(limit_ms / 1000));
	}
	return collect(d->pid);
}
