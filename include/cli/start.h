/*
 * The verbs that start the gateway.
 */
#pragma once

#include "cli/arguments.h"
#include "cli/status.h"

struct invocation;

/* What gateway start takes: for tables, and for who reads its options elsewhere. */
#define START_SYNTAX                                                              \
	{                                                                         \
		.options = OPTION_BIT(OPTION_DAEMON) | OPTION_BIT(OPTION_CONFIG), \
		.takes_settings = true                                            \
	}
extern const struct syntax start_syntax;

/* gateway start: runs the gateway in this process, or with --daemon in one that is left behind. */
enum cli_status start_run(const struct invocation *);

/* gateway restart: stops the one that runs, if any, and starts one as with --daemon. */
enum cli_status start_again(const struct invocation *);
