/*
 * Why this file exists: what happens between the fork and the child's main function is easily
 * wrong and hard to see. The child has a copy of everything of the supervisor, and must keep only
 * what struct inherit names: a stray copy of another child's control socket would hide the
 * supervisor's death from that child, and one of the ready pipe would keep the command line
 * waiting.
 *
 * The supervisor has the signals that it handles blocked, so none can reach the child before it
 * ignores them.
 */
#include "supervisor/spawn.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "bus/segment.h"
#include "sys/descriptor.h"
#include "sys/inherit.h"
#include "sys/notify.h"
#include "sys/privileges.h"
#include "sys/proctitle.h"

/* Exit status of a child that did not even get to its main function. */
enum { SPAWN_FAILED = 1 };

static void
ignore_signals(void)
{
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2,
		SIGPIPE };
	sigset_t none;

	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int
close_inherited(const struct inherit *inherit)
{
	unsigned bells = inherit->segment != NULL ? segment_slots(inherit->segment) : 0;
	int *keep, r;
	size_t n = 0;

	keep = mem_array((size_t)bells + INHERIT_LISTEN_MAX + 5, sizeof(*keep));
	if (keep == NULL)
		return -ENOMEM;
	keep[n++] = inherit->control_fd;
	keep[n++] = inherit->unix_fd;
	keep[n++] = inherit->lock_fd;
	keep[n++] = inherit->log_fd;
	for (unsigned i = 0; i < inherit->listen_count; i++)
		keep[n++] = inherit->listen_fds[i];
	if (inherit->segment != NULL)
		keep[n++] = segment_fd(inherit->segment);
	for (unsigned i = 0; i < bells; i++)
		keep[n++] = segment_bell_fd(inherit->segment, i);
	r = descriptor_close_others(keep, n);
	mem_free(keep);
	return r;
}

static void
become_child(const struct spawn_order *order, pid_t supervisor)
{
	int r;

	log_set_process(order->name);
	r = privileges_drop(order->inherit->identity);
	if (r < 0) {
		log_error("cannot become %s, as gateway.user has it: %s",
		    order->inherit->identity->name, strerror(-r));
		_exit(INHERIT_REFUSED);
	}
	/* Only now: a change of user clears it. It may have died before we asked to be told. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != supervisor)
		_exit(SPAWN_FAILED);
	r = close_inherited(order->inherit);
	if (r < 0) {
		log_error("cannot close the supervisor's descriptors: %s", strerror(-r));
		_exit(SPAWN_FAILED);
	}
	ignore_signals();
	notify_forget();
	if (order->title != NULL)
		proctitle_set(order->title, "lurkbot: %s", order->name);
}

int
spawn_child(const struct spawn_order *order, pid_t *ret_pid)
{
	pid_t pid, supervisor = getpid();

	/* What stdio holds back would be written by both. */
	(void)fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		become_child(order, supervisor);
		/* Not _exit: sanitizers and coverage report at exit. */
		exit(order->main(order->inherit));
	}
	*ret_pid = pid;
	return 0;
}
