/*
 * Signals as a descriptor, so that no work is done in a handler and none can be missed between a
 * look and a wait. Standard output is in the set without asking for anything: poll reports when a
 * pipe's reader is gone all the same.
 */
#include "cli/interrupt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

int
interrupt_open(struct interrupt *ret)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) {
		close(fd);
		return -errno;
	}
	ret->fd = fd;
	return 0;
}

enum interrupt_verdict
interrupt_wait(const struct interrupt *interrupt, int fd, int timeout_ms)
{
	struct pollfd set[] = {
		{ .fd = interrupt->fd, .events = POLLIN },
		{ .fd = STDOUT_FILENO, .events = 0 },
		{ .fd = fd, .events = POLLIN },
	};
	int n;

	if (fflush(stdout) != 0)
		return INTERRUPT_END;
	do
		n = poll(set, sizeof(set) / sizeof(set[0]), timeout_ms);
	while (n < 0 && errno == EINTR);
	if (n < 0 || set[0].revents != 0 || (set[1].revents & POLLERR) != 0)
		return INTERRUPT_END;
	return n > 0 ? INTERRUPT_READY : INTERRUPT_TIMEOUT;
}

void
interrupt_close(struct interrupt *interrupt)
{
	close(interrupt->fd);
	interrupt->fd = -1;
}
