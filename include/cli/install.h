/*
 * The verbs that install the gateway as a service of the user, and remove it.
 */
#pragma once

#include "cli/status.h"

struct invocation;

/* daemon install: writes the unit, and has systemd, where it runs, take it. */
enum cli_status install_run(const struct invocation *);

/* daemon uninstall: stops the service and removes its unit. */
enum cli_status install_undo(const struct invocation *);
