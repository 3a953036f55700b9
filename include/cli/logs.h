/*
 * The verb that prints the log.
 */
#pragma once

#include "cli/status.h"

struct invocation;

/* gateway logs: prints the last lines of the log, and with --follow what comes after. */
enum cli_status logs_run(const struct invocation *);
