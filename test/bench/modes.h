/*
 * The modes: each runs to its end, prints what it found and returns the program's exit status, 0 when
 * there were no faults.
 */
#pragma once

#include "options.h"

int fanout_run(const struct options *options);
int rpc_run(const struct options *options);
int connect_run(const struct options *options);
