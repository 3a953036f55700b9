/*
 * Watches the children five times a second: kills one whose event loop stands still, or that
 * stands still with a lock of the shared segment in its hand; tells the service manager how things are; now
 * and then writes into the roster what /proc says of each process, and has a worker that is too fat relieved.
 */
#pragma once

#include <stdint.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/macros.h"
#include "supervisor/relief.h"

struct crew;
struct service;

struct watch {
	struct crew *crew;
	struct service *service;
	struct event timer;
	uint64_t ticked_ms;  /* when we last looked */
	uint64_t excused_ms; /* no heartbeat is taken to be older than this */
	uint64_t sample_ms;  /* when /proc is read next */
	struct relief relief;
};

/* Begins to watch the crew, which must outlive it, as the service must. Returns 0 or -ENOMEM. */
int watch_start(struct watch *watch, struct event_base *base, struct crew *crew,
    struct service *service) must_check;

/* Ends it. Harmless for a zeroed struct. */
void watch_stop(struct watch *watch);
