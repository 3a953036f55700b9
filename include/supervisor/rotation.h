/*
 * The log file is begun anew when it has grown to log_max_bytes: FILE becomes FILE.1, that FILE.2, and so on up to
 * log_keep; the oldest one goes. Children are handed the new file as on SIGUSR1, and what they write until they
 * have it stands in FILE.1: no line is lost or torn.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/macros.h"

struct crew;
struct resources;

struct rotation {
	struct resources *resources;
	struct crew *crew;
	struct event timer;
	uint64_t again_ms; /* after a failure: not before this */
	bool is_failing;   /* said so already */
	bool is_owed;	   /* the file was moved aside, and no other could be opened */
};

/* Begins to look at the file, once a second; both must outlive it. Returns 0 or -ENOMEM. */
int rotation_start(struct rotation *rotation, struct event_base *base, struct resources *resources,
    struct crew *crew) must_check;

/* Ends it. Harmless for a zeroed struct. */
void rotation_stop(struct rotation *rotation);

/* Opens the file again by its name, and hands it out: what SIGUSR1 asks for. Says in the log how it went. */
void rotation_reopen(struct rotation *rotation);
