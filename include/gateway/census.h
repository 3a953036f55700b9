/*
 * Sums over all processes, from shared memory: what any one worker can say about the whole gateway.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bus/roster.h"

struct gateway;

/* WebSocket clients of all workers. */
uint64_t census_websockets(const struct gateway *gateway);

/* Sockets of all workers, HTTP and WebSocket. */
uint64_t census_connections(const struct gateway *gateway);

/* Connections that subscribe to events for admins by name. */
uint64_t census_admin_subscribers(const struct gateway *gateway);

/* How many workers serve, and how many there should be. */
unsigned census_workers_serving(const struct gateway *gateway);
unsigned census_workers_wanted(const struct gateway *gateway);

/* Slots that a worker may ever stand in: 0..n-1. */
unsigned census_worker_slots(const struct gateway *gateway);

/*
 * Slots in which workers stand: 0..n-1, as census_refresh found.  The segment is laid out for many more than
 * usually run, and a sum is taken for every accepted connection.
 */
unsigned census_slots_in_use(const struct gateway *gateway);

/* Looks which slots are in use.  At the start, and ten times a second. */
void census_refresh(struct gateway *gateway);

/* Milliseconds since the gateway was started. */
uint64_t census_uptime_ms(const struct gateway *gateway);

/* True from the moment in which the gateway was told to stop. */
bool census_is_stopping(const struct gateway *gateway);
