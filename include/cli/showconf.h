/*
 * The verbs that look at the configuration.
 */
#pragma once

#include "cli/status.h"

struct invocation;

/* gateway config check: prints every error in it. */
enum cli_status showconf_check(const struct invocation *);

/* gateway config show: prints what is in force, as JSON. */
enum cli_status showconf_show(const struct invocation *);

/* gateway config path: prints the files that are looked for, and which are there. */
enum cli_status showconf_path(const struct invocation *);
