/*
 * `gateway why CONN`: what happened to a connection, in one paragraph.
 */
#pragma once

#include "cli/status.h"

struct invocation;

enum cli_status why_run(const struct invocation *);
