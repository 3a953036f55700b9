/*
 * The gateway as the service manager sees it: ready, reloading, stopping, one line of status, and a watchdog
 * that is petted while there is somebody who serves. Nothing is done where nobody wants to be told.
 *
 *	STARTING ──ready──▶ READY ◀──reloaded / reloading──▶ RELOADING
 *	                      └────── stopping ──▶ STOPPING ◀────┘
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

struct crew;

enum { SERVICE_STATUS_MAX = 512 };

enum service_phase { SERVICE_STARTING, SERVICE_READY, SERVICE_RELOADING, SERVICE_STOPPING };

struct service {
	bool is_wanted; /* somebody wants to be told */
	enum service_phase phase;
	uint64_t watchdog_ms; /* it has to be petted that often; 0: never */
	uint64_t petted_ms, told_ms;
	char trouble[SERVICE_STATUS_MAX]; /* how the last reload failed; empty: it did not */
	char status[SERVICE_STATUS_MAX];  /* as told last */
};

/* Looks at what the service manager wants. */
void service_init(struct service *service);

/* Clients are served: READY=1, and that this process is the one to be watched, which a daemon has to say. */
void service_ready(struct service *service, const struct crew *crew);

/* A reload begins. */
void service_reloading(struct service *service);

/* It is over; TROUBLE (whatever bytes, NULL for none) says what was wrong with the configuration. */
void service_reloaded(struct service *service, const struct crew *crew, const char *trouble);

/* The gateway stops, and may take so long for it. */
void service_stopping(struct service *service, uint32_t timeout_ms);

/* It failed for this reason, the last word; error is -errno, or 0 where there is none. */
void service_failed(struct service *service, int error, const char *reason);

/*
 * To be called from the event loop several times a second: renews the status, and pets the watchdog if a
 * worker serves, which is one that said so and whose own loop turned within the last second.
 */
void service_tick(struct service *service, const struct crew *crew, uint64_t now_ms);
