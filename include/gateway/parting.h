/*
 * What is noted when a connection ends: in the log, the counters, and the ledger of those that have ended.
 */
#pragma once

#include <stdint.h>

#include "bus/ledger.h"

struct connection;

/* How many events of the ring the connection was not sent yet, whether its filter takes them or not. */
uint64_t parting_lag(const struct connection *connection);

/*
 * The connection is about to end, and is still all that it was.  A line goes into the ledger, but for an HTTP
 * exchange that went well and for the operator's own tools; of those that a limit keeps out some a minute.
 */
void parting_note(
    struct connection *connection, enum ledger_cause cause, uint16_t code, const char *reason);
