/*
 * The verb that looks for what could be wrong.
 */
#pragma once

#include "cli/status.h"

struct invocation;

/* daemon diagnose: makes all checks and prints what they found. CLI_FAILED: an error among them. */
enum cli_status diagnose_run(const struct invocation *);
