/*
 * The verb that prints what lets a shell complete commands.
 */
#pragma once

#include "cli/status.h"

struct invocation;

/* completion: prints the script for the shell that is the operand. */
enum cli_status completion_run(const struct invocation *);
