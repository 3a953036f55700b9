/*
 * Batches. What was read belongs to this process, so nothing here can be overtaken any more.
 */
#include "gateway/batch.h"

#include "proto/deflate.h"
#include "proto/frame.h"
#include "proto/sse.h"

enum ring_verdict
batch_read(
    struct batch *batch, struct ring *ring, uint64_t after, uint64_t until, size_t limit_bytes)
{
	enum ring_verdict verdict = RING_EMPTY;

	batch->count = 0;
	buf_reset(&batch->frames);
	buf_reset(&batch->labels);
	buf_reset(&batch->deflated.bytes);
	buf_reset(&batch->sse.bytes);
	batch->deflated_count = 0;
	while (batch->count < BATCH_EVENTS && batch->frames.len < limit_bytes &&
	       batch->count < until - after) {
		verdict = ring_read(ring, after + batch->count + 1, &batch->frames, &batch->labels,
		    &batch->records[batch->count]);
		if (verdict != RING_RECORD)
			break;
		batch->deflated.at[batch->count].is_tried = false;
		batch->sse.at[batch->count].is_tried = false;
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

	batch->form = WIRE_PLAIN;
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

static struct span
message_of(const struct batch *batch, unsigned i)
{
	struct span frame = batch_frame(batch, i);

	return span_skip(frame, frame_payload_offset(frame));
}

/* Compresses event number i, if that was not tried yet; false when it stays plain. */
static bool
compress(struct batch *batch, unsigned i, struct deflate *codec, size_t min_bytes)
{
	struct batch_made *at = &batch->deflated.at[i];
	struct buf *bytes = &batch->deflated.bytes;
	struct span message = message_of(batch, i);

	if (at->is_tried)
		return at->len > 0;
	*at = (struct batch_made){ .offset = bytes->len, .is_tried = true };
	if (message.n < min_bytes || !deflate_append_frame(codec, bytes, WS_TEXT, message))
		return false;
	at->len = bytes->len - at->offset;
	batch->deflated_count++;
	return true;
}

/* Makes event number i one of a browser's, if that was not done yet; false without memory. */
static bool
make_sse(struct batch *batch, unsigned i, struct span epoch)
{
	struct batch_made *at = &batch->sse.at[i];
	struct buf *bytes = &batch->sse.bytes;
	size_t offset = bytes->len;

	if (at->is_tried)
		return true;
	sse_append(bytes, SPAN(""), epoch, batch->records[i].seq, message_of(batch, i));
	if (buf_status(bytes) != 0)
		return false;
	*at = (struct batch_made){ .offset = offset, .len = bytes->len - offset, .is_tried = true };
	return true;
}

/* The frame of event number i in the last run. */
static struct span
frame_in_run(const struct batch *batch, unsigned i)
{
	const struct batch_form *form = batch->form == WIRE_SSE ? &batch->sse : &batch->deflated;
	const struct batch_made *at = &form->at[i];

	if (batch->form == WIRE_PLAIN || at->len == 0)
		return batch_frame(batch, i);
	return span_make(form->bytes.data + at->offset, at->len);
}

/* Puts together what is taken; false without memory. */
static bool
gather(struct batch *batch, struct span *ret_run)
{
	buf_reset(&batch->run);
	for (unsigned i = 0; i < batch->count; i++)
		if (batch->taken[i])
			buf_append_span(&batch->run, frame_in_run(batch, i));
	*ret_run = buf_span(&batch->run);
	return buf_status(&batch->run) == 0;
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
			batch->form = WIRE_DEFLATED;
	if (batch->form == WIRE_PLAIN)
		return true;
	plain_len = ret_run->n;
	if (!gather(batch, ret_run))
		return false;
	batch->saved = plain_len - ret_run->n;
	return true;
}

bool
batch_match_sse(
    struct batch *batch, const struct filter *filter, struct span epoch, struct span *ret_run)
{
	if (!batch_match(batch, filter, ret_run))
		return false;
	for (unsigned i = 0; i < batch->count; i++)
		if (batch->taken[i] && !make_sse(batch, i, epoch))
			return false;
	batch->form = WIRE_SSE;
	return gather(batch, ret_run);
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
	place.form = batch->form;
	if (place.form == WIRE_DEFLATED && batch->deflated.at[place.index].len == 0)
		place.form = WIRE_PLAIN;
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
	buf_rest(&batch->deflated.bytes, limit_bytes);
	buf_rest(&batch->sse.bytes, limit_bytes);
}

void
batch_fini(struct batch *batch)
{
	buf_fini(&batch->frames);
	buf_fini(&batch->labels);
	buf_fini(&batch->run);
	buf_fini(&batch->deflated.bytes);
	buf_fini(&batch->sse.bytes);
	batch->count = 0;
}
