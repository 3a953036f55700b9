/*
 * What is done once for each turn of a worker's event loop, and what is done ten times a second.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct gateway;

/*
 * After the callbacks of a turn: publishes what waits, delivers from the ring, takes mail, acts on closes that
 * were asked for, sends what was queued, frees what ended; then arms the bell.  Returns true when there is
 * more to do, so the loop must not sleep.
 */
bool turn_end(struct gateway *gateway);

/* Timeouts of connections, requests and gathers (now_ms: CLOCK_MONOTONIC). */
void turn_tick(struct gateway *gateway, uint64_t now_ms);
