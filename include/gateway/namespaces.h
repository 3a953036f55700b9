/*
 * Event namespaces, the first segment of an event's name: which there are, who may publish in them, and
 * the bounded set of labels under which they are counted.
 */
#pragma once

#include <stdbool.h>

#include "base/span.h"

/* Index of the metric label for this event, 0..COUNTERS_NAMESPACES-1. */
unsigned namespace_index(struct span event);

/* The label of an index: "agent", …, "other". */
const char *namespace_name(unsigned index);

/* True where a client may publish this event; the others are the gateway's own (PROTOCOL section 5). */
bool namespace_is_open(struct span event);
