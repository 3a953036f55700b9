/*
 * From the ring to the clients of this worker: the hot path.
 *
 * Events are taken from the ring in batches.  A batch is matched once for each audience, which gives one
 * run of bytes, and every member gets that run by one send.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

struct fanout;
struct gateway;

/* Creates the reader; it begins behind the gateway's level_seq.  NULL without memory. */
struct fanout *fanout_new(void) must_check;
void fanout_free(struct fanout *fanout);

/*
 * Delivers one batch.  Returns true when there is more, so that the caller can look at its sockets in
 * between.  Connections may end meanwhile.
 */
bool fanout_pump(struct gateway *gateway);

/*
 * True when the last pump found events but no memory to read them: calling it again at once is of no
 * use, the next tick is time enough.
 */
bool fanout_is_starved(const struct fanout *fanout);

/*
 * Tells the level connections of each audience that was sent no seq for position_interval_ms, while
 * the stream moved on, where they stand.
 */
void fanout_tick(struct gateway *gateway, uint64_t now_ms);
