/*
 * A worker process: it accepts a share of the connections and serves them to their end.
 */
#pragma once

#include "sys/inherit.h"

/*
 * The worker's whole life, from just after the fork.  Returns the exit status: 0 after a drain, 1 when it
 * could not start.  Ends the process itself when the supervisor is gone.
 */
int worker_main(const struct inherit *inherit);
