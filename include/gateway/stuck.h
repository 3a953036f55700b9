/*
 * The frames that slow connections are stuck in.
 *
 * A connection whose socket took only part of a frame owes the rest. As long as the ring holds the
 * event, the frame is made from there again when the socket drains, and costs a number, shared by all
 * connections that are stuck in it. Only where the ring is about to overwrite it, a copy is kept.
 *
 * A compressed frame is compressed again, which gives the same bytes: codec and message are the same. So it is
 * with Server-Sent Events.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/span.h"
#include "gateway/wire.h"

struct gateway;
struct stuck_frames;

struct stuck_frame {
	uint64_t key; /* of seq and form */
	size_t references;
	size_t len;
	uint64_t checksum;
	char *copy; /* NULL: the ring has it */
};

/* An empty set; NULL without memory. Freed when nobody holds a frame any more. */
struct stuck_frames *stuck_frames_new(struct gateway *gateway) must_check;
void stuck_frames_free(struct stuck_frames *frames);

/*
 * A reference to the frame of event `seq` in one of its forms. Given back by
 * stuck_frame_unref. NULL without memory.
 */
struct stuck_frame *stuck_frame_ref(
    struct stuck_frames *frames, uint64_t seq, enum wire_form form, struct span frame) must_check;
void stuck_frame_unref(struct stuck_frames *frames, struct stuck_frame *frame);

/*
 * Its bytes, valid until the next call with any frame. Returns 0; -ENODATA when they cannot be had any more,
 * since the ring has overwritten the event; -ENOMEM.
 */
int stuck_frame_load(
    struct stuck_frames *frames, const struct stuck_frame *frame, struct span *ret) must_check;

/*
 * Copies the frame, if that was not done, before the ring overwrites it. Returns 0; -ENOSPC when all copies
 * would then take more than `limit_bytes`; -ENODATA; -ENOMEM.
 */
int stuck_frame_keep(
    struct stuck_frames *frames, struct stuck_frame *frame, size_t limit_bytes) must_check;

/* Lets go of what was loaded and of the memory that it took, where nothing was since the last tick. */
void stuck_frames_tick(struct stuck_frames *frames);

/* The bytes of all copies together. */
size_t stuck_frames_bytes(const struct stuck_frames *frames);
