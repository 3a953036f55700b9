/*
 * What the gateway tells one connection about its own position in the stream, as events that do not
 * stand in the ring: gateway.gap, gateway.position (PROTOCOL section 3), and gateway.shutdown where only its
 * own worker ends.
 */
#pragma once

#include <stdint.h>

#include "gateway/connection.h"

/*
 * Queues gateway.gap: the events `from` to `to` are lost for this connection, whose position is now
 * `to`. `at_ms` is not before the event that it got last and not after the one that it gets next.
 */
void notice_gap(struct connection *connection, uint64_t from, uint64_t to, uint64_t at_ms);

/* Queues gateway.position: all that the filter takes up to `seq` was sent. */
void notice_position(struct connection *connection, uint64_t seq, uint64_t at_ms);

/*
 * Queues gateway.shutdown for a connection whose worker alone ends; `seq` is the connection's position
 * and `at_ms` as above.
 */
void notice_retirement(struct connection *connection, uint64_t seq, uint64_t at_ms);
