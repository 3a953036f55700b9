/*
 * The verb that stops the gateway.
 */
#pragma once

#include "cli/status.h"

struct invocation;

/* gateway stop: ends the running gateway and waits for its end. */
enum cli_status stop_run(const struct invocation *);
