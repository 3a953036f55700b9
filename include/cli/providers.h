/*
 * lurkbot gateway providers.
 */
#pragma once

#include "cli/status.h"

struct invocation;

/* Prints the providers that the gateway's status tells, one a line; with --json the array itself. */
enum cli_status providers_run(const struct invocation *invocation);
