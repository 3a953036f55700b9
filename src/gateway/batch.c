/*
 * Batches. What was read belongs to this process, so nothing here can be overtaken any more.
 */
#include "gateway/batch.h"

#include "proto/deflate.h"
#include "proto/frame.h"

enum ring_verdict
batch_read(
    struct batch *batch, struct ring *ring, uint64_t after, uint64_t until, size_t limit_bytes)
{
	enum ring_verdict verdict = RING_EMPTY;

	batch->count = 0;
	buf_reset(&batch->frames);
	buf_reset(&batch->labels);
	buf_reset(&batch->deflated);
	batch->deflated_count = 0;
	while (batch->count < BATCH_EVENTS && batch->frames.len < limit_bytes &&
	       batch->count < until - after) {
		verdict = ring_read(ring, after + batch->count + 1, &batch->frames, &batch->labels,
		    &batch->records[batch->count]);
		if (verdict != RING_RECORD)
			break;
		batch->deflated_at[batch->count].is_tried = false;
		batch->count++;
	}
	/* Behind a batch it waits for the next one. */
	return batch->count > 0 ? RING_RECORD : verdict;
}

static bool
takes(const struct batch *batch, const struct filter *filter, unsigned i)
{
	return (batch->records[i].flags & RING_FLAG_ALWAYS) != 0 ||
	       filter_takes(filter, batch_name(batch, i), batch_key(batch, i));
}

bool
batch_match(struct batch *batch, const struct filter *filter, struct span *ret_run)
{
	bool all = true;

	batch->is_deflated = false;
	batch->saved = 0;
	buf_reset(&batch->run);
	for (unsigned i = 0; i < batch->count; i++) {
		batch->taken[i] = takes(batch, filter, i);
		if (batch->taken[i] && !all) {
			buf_append_span(&batch->run, batch_frame(batch, i));
		} else if (!batch->taken[i] && all) {
			/* The first one left out: from here on what is taken is gathered. */
			all = false;
			buf_append(&batch->run, batch->frames.data, batch->records[i].frame_offset);
		}
	}
	*ret_run = all ? buf_span(&batch->frames) : buf_span(&batch->run);
	return all || buf_status(&batch->run) == 0;
}

/* Compresses event number i, if that was not tried yet; false when it stays plain. */
static bool
compress(struct batch *batch, unsigned i, struct deflate *codec, size_t min_bytes)
{
	struct batch_deflated *at = &batch->deflated_at[i];
	struct span frame = batch_frame(batch, i);
	struct span message = span_skip(frame, frame_payload_offset(frame));

	if (at->is_tried)
		return at->len > 0;
	*at = (struct batch_deflated){ .offset = batch->deflated.len, .is_tried = true };
	if (message.n < min_bytes ||
	    !deflate_append_frame(codec, &batch->deflated, WS_TEXT, message))
		return false;
	at->len = batch->deflated.len - at->offset;
	batch->deflated_count++;
	return true;
}

/* The frame of event number i in the last run. */
static struct span
frame_in_run(const struct batch *batch, unsigned i)
{
	const struct batch_deflated *at = &batch->deflated_at[i];

	if (batch->is_deflated && at->len > 0)
		return span_make(batch->deflated.data + at->offset, at->len);
	return batch_frame(batch, i);
}

bool
batch_match_deflated(struct batch *batch, const struct filter *filter, struct deflate *codec,
    size_t min_bytes, struct span *ret_run)
{
	size_t plain_len;

	if (!batch_match(batch, filter, ret_run))
		return false;
	for (unsigned i = 0; i < batch->count; i++)
		if (batch->taken[i] && compress(batch, i, codec, min_bytes))
			batch->is_deflated = true;
	if (!batch->is_deflated)
		return true;
	plain_len = ret_run->n;
	buf_reset(&batch->run);
	for (unsigned i = 0; i < batch->count; i++)
		if (batch->taken[i])
			buf_append_span(&batch->run, frame_in_run(batch, i));
	*ret_run = buf_span(&batch->run);
	batch->saved = plain_len - ret_run->n;
	return buf_status(&batch->run) == 0;
}

struct batch_place
batch_locate(const struct batch *batch, size_t at)
{
	struct batch_place place = { .offset = at };

	for (;; place.index++) {
		if (!batch->taken[place.index])
			continue;
		place.frame = frame_in_run(batch, place.index);
		if (place.offset < place.frame.n)
			break;
		place.offset -= place.frame.n;
	}
	place.is_deflated = batch->is_deflated && batch->deflated_at[place.index].len > 0;
	return place;
}

struct span
batch_name(const struct batch *batch, unsigned i)
{
	const struct ring_record *record = &batch->records[i];

	return span_make(batch->labels.data + record->label_offset, record->name_len);
}

struct span
batch_key(const struct batch *batch, unsigned i)
{
	const struct ring_record *record = &batch->records[i];

	return span_make(
	    batch->labels.data + record->label_offset + record->name_len, record->key_len);
}

struct span
batch_frame(const struct batch *batch, unsigned i)
{
	const struct ring_record *record = &batch->records[i];

	return span_make(batch->frames.data + record->frame_offset, record->frame_len);
}

void
batch_rest(struct batch *batch, size_t limit_bytes)
{
	batch->count = 0;
	buf_rest(&batch->frames, limit_bytes);
	buf_rest(&batch->labels, limit_bytes);
	buf_rest(&batch->run, limit_bytes);
	buf_rest(&batch->deflated, limit_bytes);
}

void
batch_fini(struct batch *batch)
{
	buf_fini(&batch->frames);
	buf_fini(&batch->labels);
	buf_fini(&batch->run);
	buf_fini(&batch->deflated);
	batch->count = 0;
}
