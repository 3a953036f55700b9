/*
 * One map from seq to copy. A copy leaves it with its last reference.
 */
#include "gateway/stuck.h"

#include <string.h>

#include "base/alloc.h"
#include "base/map.h"

struct stuck_frames {
	struct map *by_seq;
	size_t bytes;
};

struct stuck_frames *
stuck_frames_new(void)
{
	struct stuck_frames *frames = mem_zalloc(sizeof(*frames));

	if (frames == NULL)
		return NULL;
	frames->by_seq = map_new();
	if (frames->by_seq == NULL) {
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
	map_free(frames->by_seq);
	mem_free(frames);
}

static struct span
key_of(const uint64_t *seq)
{
	return span_make((const char *)seq, sizeof(*seq));
}

static struct stuck_frame *
copy(struct stuck_frames *frames, uint64_t seq, struct span bytes)
{
	struct stuck_frame *frame = mem_alloc(sizeof(*frame) + bytes.n);

	if (frame == NULL)
		return NULL;
	frame->seq = seq;
	frame->references = 0;
	frame->len = bytes.n;
	memcpy(frame->bytes, bytes.p, bytes.n);
	if (map_put(frames->by_seq, key_of(&seq), frame) != 0) {
		mem_free(frame);
		return NULL;
	}
	frames->bytes += frame->len;
	return frame;
}

struct stuck_frame *
stuck_frame_ref(struct stuck_frames *frames, uint64_t seq, struct span bytes)
{
	struct stuck_frame *frame = map_get(frames->by_seq, key_of(&seq));

	if (frame == NULL)
		frame = copy(frames, seq, bytes);
	if (frame != NULL)
		frame->references++;
	return frame;
}

void
stuck_frame_unref(struct stuck_frames *frames, struct stuck_frame *frame)
{
	if (--frame->references > 0)
		return;
	map_remove(frames->by_seq, key_of(&frame->seq));
	frames->bytes -= frame->len;
	mem_free(frame);
}

size_t
stuck_frames_bytes(const struct stuck_frames *frames)
{
	return frames->bytes;
}
