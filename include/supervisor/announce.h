/* The one event that the supervisor publishes by itself. */
#pragma once

#include "base/macros.h"

struct segment;

/*
 * Publishes `gateway.shutdown` {"reason":REASON} to every connection of all workers, and wakes
 * them. REASON needs no escaping in JSON. Waits a fraction of a second where a lock is held.
 * Returns 0 or -errno, as ring_publish does.
 */
int announce_shutdown(struct segment *segment, const char *reason) must_check;
