/*
 * Processes for tests: children that end with the test, whatever becomes of it, memory that they
 * share, and waiting with a limit. Whoever waits gives way to others in between, and never
 * sleeps.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	SUPPORT_PATIENCE_MS =
	    30000, /* after this a test has failed, whatever the machine does else */
};

/* As fork; the child dies with its parent. Fails the test when there is no child to be had. */
pid_t support_fork(void);

/* Waits for the end of a child: its exit status, or 1000 and the signal that ended it. */
int support_reap(pid_t pid);

/* SIGKILL, and waits for the end. */
void support_kill(pid_t pid);

/* Waits until the child was stopped by SIGSTOP. */
void support_stop(pid_t pid);

/* Zeroed memory that children share with their parent; given back at the end of the process. */
void *support_share(size_t len);

/* A moment so many milliseconds from now, and whether it has come. */
uint64_t support_deadline(unsigned ms);
bool support_is_past(uint64_t deadline);

/* Lets others run. False once the deadline has come: stop waiting. */
bool support_wait(uint64_t deadline);

/* A sequence of numbers that looks random, and is the same for the same seed. */
uint64_t support_random(uint64_t *seed);
