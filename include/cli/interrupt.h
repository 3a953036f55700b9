/*
 * Waiting, for verbs that go on until they are told to end: by SIGINT, SIGTERM or SIGHUP, or because
 * nobody reads their output any more.
 */
#pragma once

#include "base/macros.h"

/* Where the signals arrive, which are blocked from then on. */
struct interrupt {
	int fd;
};

enum interrupt_verdict {
	INTERRUPT_READY,   /* the descriptor can be read */
	INTERRUPT_TIMEOUT, /* nothing within timeout_ms */
	INTERRUPT_END,	   /* it is time to end */
};

/* Begins to collect the signals. 0 or -errno. */
int interrupt_open(struct interrupt *ret) must_check;

/*
 * Flushes standard output, then waits until fd (-1: none) can be read; timeout_ms as for poll(2):
 * 0 only looks, -1 waits for ever.
 */
enum interrupt_verdict interrupt_wait(const struct interrupt *, int fd, int timeout_ms) must_check;

/* Closes the descriptor. The signals stay blocked: the process is about to end. */
void interrupt_close(struct interrupt *);
