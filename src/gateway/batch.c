/*
 * Batches. What was read belongs to this process, so nothing here can be overtaken any more.
 */
#include "gateway/batch.h"

enum ring_verdict
batch_read(
    struct batch *batch, struct ring *ring, uint64_t after, uint64_t until, size_t limit_bytes)
{
	enum ring_verdict verdict = RING_EMPTY;

	batch->count = 0;
	buf_reset(&batch->frames);
	buf_reset(&batch->labels);
	while (batch->count < BATCH_EVENTS && batch->frames.len < limit_bytes &&
	       batch->count < until - after) {
		verdict = ring_read(ring, after + batch->count + 1, &batch->frames, &batch->labels,
		    &batch->records[batch->count]);
		if (verdict != RING_RECORD)
			break;
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

struct batch_place
batch_locate(const struct batch *batch, size_t at)
{
	struct batch_place place = { .offset = at };

	while (
	    !batch->taken[place.index] || place.offset >= batch->records[place.index].frame_len) {
		if (batch->taken[place.index])
			place.offset -= batch->records[place.index].frame_len;
		place.index++;
	}
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
}

void
batch_fini(struct batch *batch)
{
	buf_fini(&batch->frames);
	buf_fini(&batch->labels);
	buf_fini(&batch->run);
	batch->count = 0;
}
