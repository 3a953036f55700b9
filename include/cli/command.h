/*
 * Running another program to its end, and keeping what it said.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/macros.h"

enum { COMMAND_OUTPUT_MAX = 1048576 }; /* bytes of each stream that are kept; the rest is dropped */

/* How a program ended. */
struct command_result {
	int status;	/* its exit status; 128 + the signal that ended it */
	struct buf out; /* its standard output */
	struct buf err; /* its standard error */
};

/*
 * Runs argv (ends with NULL), searched for on PATH, with standard input at its end, and waits, at
 * most limit_ms, after which it is killed. 0: it ran, whatever came of it; -ENOENT: there is no such
 * program; -ETIMEDOUT; or another -errno. ret is to be freed by command_fini in any case.
 */
int command_run(const char *const *argv, uint64_t limit_ms, struct command_result *ret) must_check;

/* Frees what was kept; harmless for a zeroed one. */
void command_fini(struct command_result *);
