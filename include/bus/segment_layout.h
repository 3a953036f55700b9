/*
 * The sizes that a segment is laid out with, for its whole life.
 */
#pragma once

#include <stdint.h>

enum {
	SEGMENT_WORKER_SLOTS_MAX = 256,
	SEGMENT_SLOTS_MAX = SEGMENT_WORKER_SLOTS_MAX + 2,
};

/* Sizes; bytes are rounded up to whole pages. */
struct segment_layout {
	uint32_t worker_slots;	  /* 1 to SEGMENT_WORKER_SLOTS_MAX */
	uint64_t ring_bytes;	  /* RING_BYTES_MIN to 2^40 */
	uint64_t mailbox_bytes;	  /* MAILBOX_BYTES_MIN to 2^32 */
	uint32_t max_connections; /* 1 to DIRECTORY_CONNECTIONS_MAX */
};
