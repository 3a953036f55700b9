/*
 * A batch of events, copied out of the ring once, and the run of bytes that one filter takes of it, plain or
 * compressed.
 *
 * `frames` holds the finished WebSocket frames back to back, so a filter that takes all of them is
 * served from there without a copy; one that takes some gets them copied together once, whatever
 * the number of connections that are sent the run. `made` holds what an event is in another form, made when a
 * run of that form first takes it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "bus/ring.h"
#include "gateway/wire.h"
#include "proto/filter.h"

struct deflate;

enum { BATCH_EVENTS = 256 };

/* An event in another form, in `bytes` of that form. */
struct batch_made {
	size_t offset;
	size_t len; /* 0: the event stays plain */
	bool is_tried;
};

/* All events in another form, as far as they were asked for. */
struct batch_form {
	struct buf bytes;
	struct batch_made at[BATCH_EVENTS];
};

/* Zero-initialised is valid and empty. */
struct batch {
	struct buf frames;
	struct buf labels;
	struct buf run; /* of a filter that takes some, not all */
	unsigned count;
	struct ring_record records[BATCH_EVENTS];
	bool taken[BATCH_EVENTS]; /* by the filter of the last match */
	struct batch_form deflated, sse;
	unsigned deflated_count; /* events compressed so far */
	enum wire_form form;	 /* of the last run; plain also where nothing could be compressed */
	size_t saved;		 /* bytes by which it is shorter than the plain one */
};

/* A place in a run: which event of the batch, its frame in that run, and how many bytes of it lie before. */
struct batch_place {
	unsigned index;
	size_t offset;
	enum wire_form form;
	struct span frame;
};

/*
 * Reads the events behind `after`, at most up to and including `until`, in place of what the batch
 * held; goes on while the frames have fewer than `limit_bytes`. RING_RECORD: count is at least 1; else
 * count is 0, and the verdict is that on after + 1.
 */
enum ring_verdict batch_read(struct batch *batch, struct ring *ring, uint64_t after, uint64_t until,
    size_t limit_bytes) must_check;

/*
 * The frames that the filter takes, as one run, and which these are in `taken`. The bytes belong to
 * the batch and stay until the next call for it. False without memory: the run is not to be had.
 */
bool batch_match(struct batch *batch, const struct filter *filter, struct span *ret_run) must_check;

/*
 * The same with frames that are compressed, as far as their message has at least min_bytes and they become
 * shorter by it. For want of memory a frame may stay plain.
 */
bool batch_match_deflated(struct batch *batch, const struct filter *filter, struct deflate *codec,
    size_t min_bytes, struct span *ret_run) must_check;

/* The same as Server-Sent Events, whose ids begin with the epoch. */
bool batch_match_sse(struct batch *batch, const struct filter *filter, struct span epoch,
    struct span *ret_run) must_check;

/*
 * Where byte `at` of the last matched run lies. `at` must be less than the run's length.
 */
struct batch_place batch_locate(const struct batch *batch, size_t at);

/* Name, session key (empty: none) and plain frame of event number i; they belong to the batch. */
struct span batch_name(const struct batch *batch, unsigned i);
struct span batch_key(const struct batch *batch, unsigned i);
struct span batch_frame(const struct batch *batch, unsigned i);

/* Empties the batch and keeps at most `limit_bytes` of each of its buffers. */
void batch_rest(struct batch *batch, size_t limit_bytes);

/* Frees what the batch owns. */
void batch_fini(struct batch *batch);
