/*
 * The text formats of Prometheus (0.0.4) and OpenMetrics (1.0): families, samples, escaping.
 *
 * The two differ in the name of a counter's family, in the types that they know and in the end mark; who
 * writes metrics need not know which of them is written.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct counters_histogram;

struct exposition {
	struct buf *out;
	bool open_metrics;
};

enum exposition_type {
	EXPOSITION_COUNTER,
	EXPOSITION_GAUGE,
	EXPOSITION_HISTOGRAM,
	EXPOSITION_INFO
};

/*
 * Begins a family.  name has no prefix and no suffix: "connections" becomes lurkbot_connections, and a
 * counter's samples get _total.  unit is "seconds", "bytes" or NULL, and already part of the name.
 */
void exposition_family(struct exposition *e, const char *name, enum exposition_type type,
    const char *unit, const char *help);

/*
 * Writes a sample of the family's.  labels is "" or `worker="0",code="ok"`, made from our own tables: it is
 * written as it is.
 */
void exposition_uint(struct exposition *e, const char *name, enum exposition_type type,
    const char *labels, uint64_t value);

/* The same for a time in nanoseconds, written in seconds. */
void exposition_seconds(struct exposition *e, const char *name, enum exposition_type type,
    const char *labels, uint64_t ns);

/* Writes buckets, sum and count of a histogram of nanoseconds, in seconds. */
void exposition_histogram(struct exposition *e, const char *name, const char *labels,
    const uint64_t *buckets, uint64_t sum_ns);

/* Ends the text: OpenMetrics wants a mark. */
void exposition_end(struct exposition *e);
