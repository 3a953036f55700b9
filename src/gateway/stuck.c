/*
 * One map from seq and form to frame. A frame leaves it with its last reference.
 *
 * The frame that was loaded last is remembered: many are stuck in the same one, drain together, and take a
 * large one in many pieces.
 */
#include "gateway/stuck.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/map.h"
#include "bus/checksum.h"
#include "bus/ring.h"
#include "gateway/context.h"
#include "proto/deflate.h"
#include "proto/frame.h"
#include "proto/sse.h"

enum {
	KEPT_BYTES = 64 * 1024, /* of each buffer, while nothing is loaded */
	FORM_BITS = 2,		/* of a key; the rest is the seq */
};

static_assert((int)WIRE_FORMS <= 1 << FORM_BITS, "a form has room in a key");

struct stuck_frames {
	struct gateway *gateway;
	struct map *by_key;
	size_t bytes;	     /* of all copies */
	uint64_t loaded_key; /* of the frame that `loaded` points to; 0: none */
	bool is_used;	     /* since the last tick */
	struct span loaded;
	struct buf plain, labels, made;
};

struct stuck_frames *
stuck_frames_new(struct gateway *g)
{
	struct stuck_frames *frames = mem_zalloc(sizeof(*frames));

	if (frames == NULL)
		return NULL;
	frames->gateway = g;
	frames->by_key = map_new();
	if (frames->by_key == NULL) {
		mem_free(frames);
		return NULL;
	}
	return frames;
}

void
stuck_frames_free(struct stuck_frames *frames)
{
	if (frames == NULL)
		return;
	map_free(frames->by_key);
	buf_fini(&frames->plain);
	buf_fini(&frames->labels);
	buf_fini(&frames->made);
	mem_free(frames);
}

static struct span
key_span(const uint64_t *key)
{
	return span_make((const char *)key, sizeof(*key));
}

static uint64_t
checksum_of(struct span frame)
{
	return checksum_bytes(frame.p, frame.n, 0);
}

static struct stuck_frame *
create(struct stuck_frames *frames, uint64_t key, struct span bytes)
{
	struct stuck_frame *frame = mem_zalloc(sizeof(*frame));

	if (frame == NULL)
		return NULL;
	frame->key = key;
	frame->len = bytes.n;
	frame->checksum = checksum_of(bytes);
	if (map_put(frames->by_key, key_span(&key), frame) != 0) {
		mem_free(frame);
		return NULL;
	}
	return frame;
}

struct stuck_frame *
stuck_frame_ref(struct stuck_frames *frames, uint64_t seq, enum wire_form form, struct span bytes)
{
	uint64_t key = seq << FORM_BITS | form;
	struct stuck_frame *frame = map_get(frames->by_key, key_span(&key));

	if (frame == NULL)
		frame = create(frames, key, bytes);
	if (frame != NULL)
		frame->references++;
	return frame;
}

void
stuck_frame_unref(struct stuck_frames *frames, struct stuck_frame *frame)
{
	if (--frame->references > 0)
		return;
	map_remove(frames->by_key, key_span(&frame->key));
	if (frame->copy != NULL)
		frames->bytes -= frame->len;
	mem_free(frame->copy);
	mem_free(frame);
}

static int
read_event(struct stuck_frames *frames, uint64_t seq)
{
	struct ring_record record;

	buf_reset(&frames->plain);
	buf_reset(&frames->labels);
	switch (ring_read(frames->gateway->ring, seq, &frames->plain, &frames->labels, &record)) {
	case RING_RECORD:
		return 0;
	case RING_NOMEM:
		return -ENOMEM;
	case RING_EMPTY:
	case RING_LAPPED:
	case RING_DAMAGED:
		break;
	}
	return -ENODATA;
}

static struct span
message_of(const struct stuck_frames *frames)
{
	struct span plain = buf_span(&frames->plain);

	return span_skip(plain, frame_payload_offset(plain));
}

/* The compressed frame of the event in `plain`; without memory there is none, and it has another length. */
static struct span
compressed(struct stuck_frames *frames)
{
	buf_reset(&frames->made);
	if (!deflate_append_frame(
		frames->gateway->deflate, &frames->made, WS_TEXT, message_of(frames)))
		return SPAN("");
	return buf_span(&frames->made);
}

/* The same as one of Server-Sent Events. */
static struct span
sse(struct stuck_frames *frames, uint64_t seq)
{
	struct span epoch = span_cstr(ring_epoch(frames->gateway->ring));

	buf_reset(&frames->made);
	sse_append(&frames->made, SPAN(""), epoch, seq, message_of(frames));
	return buf_status(&frames->made) == 0 ? buf_span(&frames->made) : SPAN("");
}

static struct span
in_form(struct stuck_frames *frames, uint64_t key)
{
	switch ((enum wire_form)(key & ((1 << FORM_BITS) - 1))) {
	case WIRE_DEFLATED:
		return compressed(frames);
	case WIRE_SSE:
		return sse(frames, key >> FORM_BITS);
	case WIRE_PLAIN:
	case WIRE_FORMS:
		break;
	}
	return buf_span(&frames->plain);
}

static int
load(struct stuck_frames *frames, const struct stuck_frame *frame)
{
	int r = read_event(frames, frame->key >> FORM_BITS);

	frames->loaded_key = 0;
	if (r < 0)
		return r;
	frames->loaded = in_form(frames, frame->key);
	/* Any other bytes would be the wrong end of a frame. */
	if (frames->loaded.n != frame->len || checksum_of(frames->loaded) != frame->checksum)
		return -ENODATA;
	frames->loaded_key = frame->key;
	return 0;
}

int
stuck_frame_load(struct stuck_frames *frames, const struct stuck_frame *frame, struct span *ret)
{
	if (frame->copy != NULL) {
		*ret = span_make(frame->copy, frame->len);
		return 0;
	}
	frames->is_used = true;
	if (frames->loaded_key != frame->key) {
		int r = load(frames, frame);

		if (r < 0)
			return r;
	}
	*ret = frames->loaded;
	return 0;
}

int
stuck_frame_keep(struct stuck_frames *frames, struct stuck_frame *frame, size_t limit_bytes)
{
	struct span bytes;
	int r;

	if (frame->copy != NULL)
		return 0;
	if (frames->bytes + frame->len > limit_bytes)
		return -ENOSPC;
	r = stuck_frame_load(frames, frame, &bytes);
	if (r < 0)
		return r;
	frame->copy = mem_alloc(bytes.n);
	if (frame->copy == NULL)
		return -ENOMEM;
	memcpy(frame->copy, bytes.p, bytes.n);
	frames->bytes += bytes.n;
	return 0;
}

void
stuck_frames_tick(struct stuck_frames *frames)
{
	bool was_used = frames->is_used;

	frames->is_used = false;
	if (was_used)
		return;
	frames->loaded_key = 0;
	buf_rest(&frames->plain, KEPT_BYTES);
	buf_rest(&frames->labels, KEPT_BYTES);
	buf_rest(&frames->made, KEPT_BYTES);
}

size_t
stuck_frames_bytes(const struct stuck_frames *frames)
{
	return frames->bytes;
}
