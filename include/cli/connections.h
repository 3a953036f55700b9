/*
 * `gateway connections`: who is connected, or who was.
 */
#pragma once

#include "cli/status.h"

struct invocation;

enum cli_status connections_run(const struct invocation *);
