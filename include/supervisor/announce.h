/* The events that the supervisor publishes by itself. */
#pragma once

#include <stdint.h>

#include "base/macros.h"
#include "base/span.h"

struct segment;

/*
 * Publishes an event of the gateway's own, to all whose filter takes it, and wakes them. PAYLOAD is JSON.
 * Returns 0; -EAGAIN when a lock is held for longer than a fraction of a second; or -errno, as
 * ring_publish does.
 */
int announce_event(struct segment *segment, struct span event, struct span payload) must_check;

/*
 * Publishes `gateway.shutdown` {"reason":REASON,"restartExpectedMs":MS} (0: it is left out) to every connection of all workers, and wakes
 * them. REASON needs no escaping in JSON. Waits a fraction of a second where a lock is held.
 * Returns as announce_event does.
 */
int announce_shutdown(
    struct segment *segment, const char *reason, uint32_t restart_expected_ms) must_check;
