/*
 * Both streams are read together: a program that fills the one while we wait for the other would
 * wait for us.
 */
#include "cli/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum { PIECE = 4096, KILLED = 128 };

/* The reading ends of a program's output. */
struct pipes {
	int out[2], err[2];
};

static void
close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
pipes_close(struct pipes *p)
{
	for (int i = 0; i < 2; i++) {
		close_one(&p->out[i]);
		close_one(&p->err[i]);
	}
}

static int
spawn(const char *const *argv, const struct pipes *p, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	int r = posix_spawn_file_actions_init(&actions);

	if (r != 0)
		return -r;
	r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, p->out[1], STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, p->err[1], STDERR_FILENO);
	if (r == 0)
		r = posix_spawnp(
		    ret_pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/* Takes what is there; closes the descriptor at its end. */
static void
take(int *fd, struct buf *out)
{
	char piece[PIECE];
	ssize_t n = read(*fd, piece, sizeof(piece));

	if (n > 0 && out->len + (size_t)n <= COMMAND_OUTPUT_MAX)
		buf_append(out, piece, (size_t)n);
	if (n == 0 || (n < 0 && errno != EINTR))
		close_one(fd);
}

/* Reads both streams to their ends. 0; -ETIMEDOUT; -errno. */
static int
collect(struct pipes *p, uint64_t deadline_ms, struct command_result *ret)
{
	while (p->out[0] >= 0 || p->err[0] >= 0) {
		struct pollfd fds[] = { { .fd = p->out[0], .events = POLLIN },
			{ .fd = p->err[0], .events = POLLIN } };
		uint64_t now_ms = clock_mono_ms();
		int r;

		if (now_ms >= deadline_ms)
			return -ETIMEDOUT;
		r = poll(fds, 2, (int)min_u64(deadline_ms - now_ms, INT32_MAX));
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r > 0 && fds[0].revents != 0)
			take(&p->out[0], &ret->out);
		if (r > 0 && fds[1].revents != 0)
			take(&p->err[0], &ret->err);
	}
	return 0;
}

static int
reap(pid_t pid, int *ret_status)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : KILLED + WTERMSIG(status);
	return 0;
}

int
command_run(const char *const *argv, uint64_t limit_ms, struct command_result *ret)
{
	struct pipes p = { { -1, -1 }, { -1, -1 } };
	pid_t pid;
	int r = 0, reaped;

	*ret = (struct command_result){ 0 };
	if (pipe2(p.out, O_CLOEXEC) != 0 || pipe2(p.err, O_CLOEXEC) != 0)
		r = -errno;
	if (r == 0)
		r = spawn(argv, &p, &pid);
	if (r == 0) {
		close_one(&p.out[1]);
		close_one(&p.err[1]);
		r = collect(&p, clock_mono_ms() + limit_ms, ret);
		if (r != 0)
			kill(pid, SIGKILL);
		reaped = reap(pid, &ret->status);
		r = r != 0 ? r : reaped;
	}
	pipes_close(&p);
	return r;
}

void
command_fini(struct command_result *r)
{
	buf_fini(&r->out);
	buf_fini(&r->err);
}
