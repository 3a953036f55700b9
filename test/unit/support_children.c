/*
 * Processes for tests.
 */
#include "support_children.h"

#include "support_cmocka.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

pid_t
support_fork(void)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid < 0)
		fail_msg("no child to be had");
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_FAILURE);
	return 0;
}

/* What waitpid with these options says within the time there is. */
static int
await(pid_t pid, int options)
{
	uint64_t deadline = support_deadline(SUPPORT_PATIENCE_MS);
	int status;

	do {
		pid_t got = waitpid(pid, &status, options | WNOHANG);

		if (got == pid)
			return status;
		if (got < 0)
			fail_msg("no such child");
	} while (support_wait(deadline));
	kill(pid, SIGKILL);
	fail_msg("child %d does not end", (int)pid);
	return 0;
}

int
support_reap(pid_t pid)
{
	int status = await(pid, 0);

	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

void
support_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	support_reap(pid);
}

void
support_stop(pid_t pid)
{
	kill(pid, SIGSTOP);
	assert_true(WIFSTOPPED(await(pid, WUNTRACED)));
}

void *
support_share(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

uint64_t
support_deadline(unsigned ms)
{
	return now_ms() + ms;
}

bool
support_is_past(uint64_t deadline)
{
	return now_ms() >= deadline;
}

bool
support_wait(uint64_t deadline)
{
	sched_yield();
	return !support_is_past(deadline);
}

uint64_t
support_random(uint64_t *seed)
{
	uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}
