/*
 * The verbs that make one request.
 */
#pragma once

#include "cli/status.h"

struct invocation;

/* gateway call: calls any method and prints its result. */
enum cli_status ask_call(const struct invocation *);

/* gateway publish: publishes an event. */
enum cli_status ask_publish(const struct invocation *);

/* gateway reload: has the configuration read again, and prints what came of it. */
enum cli_status ask_reload(const struct invocation *);
