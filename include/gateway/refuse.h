/*
 * Turning a peer away: the hello-error and the log line that goes with it, bounded so that hostile
 * clients cannot fill the disk.
 */
#pragma once

#include <stdint.h>

#include "base/macros.h"
#include "proto/errors.h"

struct connection;
struct envelope_fault;

/* Logs, at most some lines a minute, why a client was turned away. */
void refuse_log(struct connection *connection, const char *why);

/*
 * Sends {"type":"hello-error"} and closes with 1008.  reason and field may be NULL.  With the reason
 * protocol-mismatch the answer names the versions that are supported.
 */
void refuse_hello(struct connection *connection, enum error_code code, const char *reason,
    const char *field, const char *sentence);

/* The same with UNAVAILABLE and rate-limited, for one that may come back after this time. */
void refuse_hello_for(struct connection *connection, const char *sentence, uint64_t retry_after_ms);
