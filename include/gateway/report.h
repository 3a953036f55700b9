/*
 * What the gateway reports about itself, as JSON members: shared by the methods, the HTTP endpoints and
 * whoever else is asked how things are.
 */
#pragma once

#include "base/jsonw.h"

struct gateway;

/* "healthy", "degraded" while a worker is missing, "stopping" in a drain.  Static. */
const char *report_status(const struct gateway *gateway);

/* Writes the members status, version, uptimeMs, connections. */
void report_health(const struct gateway *gateway, struct jsonw *out);

/* Writes the members that method status has beyond these: pid, workers, ring, providers, listeners… */
void report_details(const struct gateway *gateway, struct jsonw *out);
