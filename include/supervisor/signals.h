/*
 * Signals as input of the event loop: they are blocked, and read from a signalfd. No code of ours
 * ever runs in a signal handler.
 */
#pragma once

#include <signal.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/macros.h"

struct signals {
	int fd; /* -1: not open */
	sigset_t before;
	struct event event;
	void (*on_signal)(int number, void *arg);
	void *arg;
	int value; /* that sigqueue(3) sent with the signal that was read last; 0: none */
};

/*
 * Blocks TERM, INT, QUIT, CHLD, HUP and USR1, ignores PIPE, and opens the descriptor: what
 * arrives from now on waits there. Returns 0 or -errno.
 */
int signals_open(struct signals *signals) must_check;

/* Calls ON_SIGNAL from the loop for each that arrived. Returns 0 or -ENOMEM. */
int signals_watch(struct signals *signals, struct event_base *base,
    void (*on_signal)(int number, void *arg), void *arg) must_check;

/* Calls it no more. Harmless when it was not watched. Before the event base is freed. */
void signals_unwatch(struct signals *signals);

/* Forgets what still waits, closes the descriptor, and puts the signal mask back. */
void signals_close(struct signals *signals);
