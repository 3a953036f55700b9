/*
 * Why this file exists: libevent's own signal events run a handler and a socket pair per base; a
 * signalfd needs neither, and a fork cannot confuse it.
 */
#include "supervisor/signals.h"

#include <errno.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static int
next_signal(struct signals *signals)
{
	struct signalfd_siginfo info;

	if (read(signals->fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return 0;
	signals->value = info.ssi_code == SI_QUEUE ? info.ssi_int : 0;
	return (int)info.ssi_signo;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct signals *signals = arg;
	int number = next_signal(signals);

	(void)fd;
	(void)what;
	/* One for each turn of the loop: what it does may end the loop. */
	if (number != 0)
		signals->on_signal(number, signals->arg);
}

int
signals_open(struct signals *signals)
{
	static const int handled[] = { SIGTERM, SIGINT, SIGQUIT, SIGCHLD, SIGHUP, SIGUSR1,
		SIGUSR2 };
	sigset_t set;

	memset(signals, 0, sizeof(*signals));
	(void)sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(handled); i++)
		(void)sigaddset(&set, handled[i]);
	signals->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (signals->fd < 0)
		return -errno;
	(void)signal(SIGPIPE, SIG_IGN);
	/* Whoever started us may have told it to be ignored: then nothing could be reaped. */
	(void)signal(SIGCHLD, SIG_DFL);
	(void)sigprocmask(SIG_BLOCK, &set, &signals->before);
	return 0;
}

int
signals_watch(struct signals *signals, struct event_base *base,
    void (*on_signal)(int number, void *arg), void *arg)
{
	signals->on_signal = on_signal;
	signals->arg = arg;
	if (event_assign(&signals->event, base, signals->fd, EV_READ | EV_PERSIST, on_readable,
		signals) < 0 ||
	    event_add(&signals->event, NULL) < 0)
		return -ENOMEM;
	return 0;
}

void
signals_unwatch(struct signals *signals)
{
	if (signals->on_signal != NULL)
		(void)event_del(&signals->event);
	signals->on_signal = NULL;
}

void
signals_close(struct signals *signals)
{
	signals_unwatch(signals);
	/* A second SIGTERM must not kill who is about to exit with a status of its own. */
	while (next_signal(signals) != 0)
		continue;
	(void)close(signals->fd);
	(void)sigprocmask(SIG_SETMASK, &signals->before, NULL);
}
