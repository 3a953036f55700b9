/*
 * What ps shows for a process: `lurkbot: worker 0`.
 *
 * The title is written over the memory where the kernel put the arguments and the environment, so
 * both are copied away first. A child inherits the struct and sets a title of its own.
 */
#pragma once

#include <stddef.h>

#include "base/macros.h"

struct proctitle {
	char *area; /* NULL: titles are not shown */
	size_t size;
	char **environ_copy;  /* its strings are freed at the end */
	char **environ_array; /* the same ones, in force as `environ`: setenv(3) may replace some */
	/* the same strings, as setenv(3) may replace them */ /* in force as `environ` */
	char **argv_copy; /* its strings stand in the caller's argv */
	char *name_copy;  /* in force as program_invocation_name */
};

/*
 * Must be called before anything keeps a pointer into argv or the environment: afterwards argv[i]
 * and environ point to copies. Without memory, or where the two are not laid out as expected, the
 * title stays what it was.
 */
void proctitle_init(struct proctitle *title, int argc, char **argv);

/*
 * Shows the text, as far as there is room, and names the process by its first 15 bytes
 * (PR_SET_NAME).
 */
void proctitle_set(struct proctitle *title, const char *fmt, ...) printf_like(2, 3);

/*
 * Frees the copies. After it, neither argv nor the environment may be used: for the end of main
 * only.
 */
void proctitle_fini(struct proctitle *title);
