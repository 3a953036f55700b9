/*
 * The copies of frames that slow connections are stuck in.
 *
 * A connection whose socket took only part of a frame owes the rest, and the ring may overwrite the
 * event before the socket drains. So the worker keeps one copy of the frame, shared by all
 * connections that are stuck in it, for as long as there is one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/span.h"

struct stuck_frames;

struct stuck_frame {
	uint64_t key; /* of seq and form */
	size_t references;
	size_t len;
	char bytes[];
};

/* An empty set; NULL without memory. Freed when nobody holds a frame any more. */
struct stuck_frames *stuck_frames_new(void) must_check;
void stuck_frames_free(struct stuck_frames *frames);

/*
 * A reference to the copy of event `seq` in one of its forms, plain or compressed, made from `frame` when
 * there is none yet. Given back by stuck_frame_unref. NULL without memory.
 */
struct stuck_frame *stuck_frame_ref(
    struct stuck_frames *frames, uint64_t seq, bool is_deflated, struct span frame) must_check;
void stuck_frame_unref(struct stuck_frames *frames, struct stuck_frame *frame);

/* The bytes of all copies together. */
size_t stuck_frames_bytes(const struct stuck_frames *frames);
