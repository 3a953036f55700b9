/*
 * A segment of its own for each test of the bus, as small as can be: three workers, a ring and
 * mailboxes of 64 KiB. Its name is removed as soon as it is mapped, so that no test leaves
 * anything behind.
 */
#pragma once

#include "support_cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/directory.h"
#include "bus/mailbox.h"
#include "bus/ring.h"
#include "bus/segment.h"

enum {
	BUS_WORKERS = 3,
	BUS_CONNECTIONS = 200,
};

struct bus {
	char name[64];
	struct segment_layout layout;
	struct segment *segment;
	struct ring *ring;
	struct directory *directory;
};

/* The name of a segment that nobody else uses. */
static inline void
bus_name(struct bus *bus)
{
	snprintf(bus->name, sizeof(bus->name), "/lurkbot-test-%d", (int)getpid());
	bus->layout = (struct segment_layout){
		.worker_slots = BUS_WORKERS,
		.ring_bytes = RING_BYTES_MIN,
		.mailbox_bytes = MAILBOX_BYTES_MIN,
		.max_connections = BUS_CONNECTIONS,
	};
}

/* Opens the segment and wants it to have come about in this way; workers' mailboxes are open. */
static inline void
bus_open(struct bus *bus, enum segment_origin should)
{
	enum segment_origin origin;

	assert_int_equal(segment_open(bus->name, &bus->layout, &bus->segment, &origin), 0);
	assert_int_equal(origin, should);
	for (unsigned slot = 0; slot < segment_worker_slots(bus->segment); slot++)
		assert_int_equal(segment_reserve_worker(bus->segment, slot), 0);
	bus->ring = segment_ring(bus->segment);
	bus->directory = segment_directory(bus->segment);
}

static inline int
bus_setup(void **state)
{
	struct bus *bus = calloc(1, sizeof(*bus));

	bus_name(bus);
	bus_open(bus, SEGMENT_CREATED);
	*state = bus;
	return segment_unlink(bus->name);
}

static inline int
bus_teardown(void **state)
{
	struct bus *bus = *state;

	segment_close(bus->segment);
	free(bus);
	return 0;
}

/* Reads and forgets: what matters is the verdict. */
static inline enum ring_verdict
bus_look(struct ring *ring, uint64_t seq)
{
	struct buf frames = { 0 };
	struct buf labels = { 0 };
	struct ring_record record;
	enum ring_verdict verdict = ring_read(ring, seq, &frames, &labels, &record);

	if (verdict != RING_RECORD)
		assert_true(frames.len == 0 && labels.len == 0);
	buf_fini(&frames);
	buf_fini(&labels);
	return verdict;
}

/* Publishes a frame under the name a.b and the key k; returns its seq. */
static inline uint64_t
bus_publish(struct ring *ring, struct span frame)
{
	struct ring_draft draft = { .name = SPAN("a.b"), .key = SPAN("k"), .frame = frame };
	struct ring_receipt receipt;

	assert_int_equal(ring_publish(ring, 1, &draft, &receipt), 0);
	return receipt.seq;
}

/* Publishes events whose frames have `len` bytes, all zero. */
static inline void
bus_publish_many(struct ring *ring, unsigned count, size_t len)
{
	char *frame = calloc(1, len);

	while (count-- > 0)
		bus_publish(ring, span_make(frame, len));
	free(frame);
}

#define bus_test(test) cmocka_unit_test_setup_teardown(test, bus_setup, bus_teardown)
