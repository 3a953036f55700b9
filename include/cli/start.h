/*
 * The verbs that start the gateway.
 */
#pragma once

#include "cli/status.h"

struct invocation;

/* gateway start: runs the gateway in this process, or with --daemon in one that is left behind. */
enum cli_status start_run(const struct invocation *);

/* gateway restart: stops the one that runs, if any, and starts one as with --daemon. */
enum cli_status start_again(const struct invocation *);
