/*
 * One map from seq and form to copy. A copy leaves it with its last reference.
 */
#include "gateway/stuck.h"

#include <string.h>

#include "base/alloc.h"
#include "base/map.h"

struct stuck_frames {
	struct map *by_key;
	size_t bytes;
};

struct stuck_frames *
stuck_frames_new(void)
{
	struct stuck_frames *frames = mem_zalloc(sizeof(*frames));

	if (frames == NULL)
		return NULL;
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
	mem_free(frames);
}

static struct span
bytes_of(const uint64_t *key)
{
	return span_make((const char *)key, sizeof(*key));
}

static struct stuck_frame *
copy(struct stuck_frames *frames, uint64_t key, struct span bytes)
{
	struct stuck_frame *frame = mem_alloc(sizeof(*frame) + bytes.n);

	if (frame == NULL)
		return NULL;
	frame->key = key;
	frame->references = 0;
	frame->len = bytes.n;
	memcpy(frame->bytes, bytes.p, bytes.n);
	if (map_put(frames->by_key, bytes_of(&key), frame) != 0) {
		mem_free(frame);
		return NULL;
	}
	frames->bytes += frame->len;
	return frame;
}

struct stuck_frame *
stuck_frame_ref(struct stuck_frames *frames, uint64_t seq, bool is_deflated, struct span bytes)
{
	uint64_t key = seq << 1 | is_deflated;
	struct stuck_frame *frame = map_get(frames->by_key, bytes_of(&key));

	if (frame == NULL)
		frame = copy(frames, key, bytes);
	if (frame != NULL)
		frame->references++;
	return frame;
}

void
stuck_frame_unref(struct stuck_frames *frames, struct stuck_frame *frame)
{
	if (--frame->references > 0)
		return;
	map_remove(frames->by_key, bytes_of(&frame->key));
	frames->bytes -= frame->len;
	mem_free(frame);
}

size_t
stuck_frames_bytes(const struct stuck_frames *frames)
{
	return frames->bytes;
}
