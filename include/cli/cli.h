/*
 * The command line: finds the verb, reads its options, runs it. What a person typed wrongly is
 * answered on standard error with what would be right, and status 2.
 */
#pragma once

#include "base/macros.h"

struct proctitle;
struct supervisor_program;

/*
 * Does what the command line says and returns the exit status (cli/status.h). In the process that
 * `gateway start --daemon` leaves behind it returns when the gateway has ended. title may be NULL.
 */
int cli_main(int argc, char **argv, const struct supervisor_program *program,
    struct proctitle *title) must_check;
