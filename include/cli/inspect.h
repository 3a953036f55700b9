/*
 * The verbs that ask the running gateway how it is.
 */
#pragma once

#include "cli/status.h"

struct invocation;

/* gateway status: tells about the gateway as a whole. */
enum cli_status inspect_status(const struct invocation *);

/* gateway health: tells whether all is well; CLI_FAILED when something is missing. */
enum cli_status inspect_health(const struct invocation *);
