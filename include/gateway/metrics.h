/*
 * /metrics: the counters of all processes, summed, as Prometheus reads them.
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"

struct gateway;

/*
 * Appends the exposition: Prometheus text format 0.0.4, or OpenMetrics 1.0 where open_metrics.  Failure of
 * memory shows in buf_status(out).
 */
void metrics_write(const struct gateway *gateway, struct buf *out, bool open_metrics);
