/*
 * The verbs that drive the service of the user.
 */
#pragma once

#include <stdbool.h>

#include "cli/status.h"

struct invocation;
struct service;

/* daemon start */
enum cli_status drive_start(const struct invocation *);

/* daemon stop */
enum cli_status drive_stop(const struct invocation *);

/* daemon restart */
enum cli_status drive_restart(const struct invocation *);

/* daemon status: whether it is installed, and whether it runs. */
enum cli_status drive_status(const struct invocation *);

/* Says on standard error why no manager drives the service, and what is done in its place. */
void drive_say_why(const struct service *);

/* Whether a gateway of the service's home runs, whoever started it. */
bool drive_is_running(const struct service *);
