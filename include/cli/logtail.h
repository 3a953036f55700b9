/*
 * The log as the running gateway tells it (logs.tail), for where its file cannot be read.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/span.h"
#include "cli/status.h"

struct invocation;

struct logtail {
	uint64_t lines; /* how many of the last ones */
	bool follows;	/* goes on until it is interrupted */
	void (*print)(void *arg, struct span line);
	void *arg;
};

/*
 * Hands the lines to `print`, and says on standard error what went wrong. With is_last_resort nothing is said, and
 * CLI_UNREACHABLE returned, when there is no gateway.
 */
enum cli_status logtail_run(
    const struct invocation *, const struct logtail *, bool is_last_resort) must_check;
