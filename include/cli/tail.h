/*
 * The verb that prints events as they come.
 */
#pragma once

#include "cli/status.h"

struct invocation;

/* gateway tail: prints events until it is interrupted, or the connection ends. */
enum cli_status tail_run(const struct invocation *);
