/*
 * Ending a worker without losing anything: in-flight requests are answered, clients are told, and then
 * closed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct gateway;

/* Zero-initialised is valid: no drain. */
struct drain {
	bool started;
	bool retiring; /* only this worker ends: others take its clients */
	bool done;     /* nothing is left, or the time is up */
	uint64_t deadline_ms;
	uint64_t last_seq; /* nobody is closed before this event was delivered */
};

/*
 * Begins: no request is taken any more, and connections that wait for no answer are closed with 1001.  It is
 * over after timeout_ms at the latest.  A second call is ignored.
 */
void drain_start(
    struct drain *drain, struct gateway *gateway, uint32_t timeout_ms, uint64_t now_ms);

/*
 * Begins to retire: connections are served on, and closed with 1012, a few each tick, so that they do not
 * all come back to the other workers at once; those that wait for answers come last.  A drain_start that
 * follows takes over.
 */
void drain_retire(
    struct drain *drain, struct gateway *gateway, uint32_t timeout_ms, uint64_t now_ms);

/* Goes on with it: closes those whose answers have gone out.  Does nothing before drain_start. */
void drain_tick(struct drain *drain, struct gateway *gateway, uint64_t now_ms);

/* Ends all connections at once, for the end of the process. */
void drain_abort_all(struct gateway *gateway);
