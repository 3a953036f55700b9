/*
 * Batches.  `frames` holds the finished WebSocket frames of a batch back to back, so an audience that
 * takes all of them is served from there without a copy; one that takes some gets them copied together
 * once, whatever the number of its members.
 */
#include "gateway/fanout.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/counters.h"
#include "bus/ring.h"
#include "gateway/audience.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/recent.h"

enum {
	BATCH_EVENTS = 256,
	BATCH_BYTES = 1024 * 1024,
	KEPT_BYTES = 1024 * 1024, /* of each buffer, while there is nothing to deliver */
	LINES_A_MINUTE = 10,	  /* of each kind */
};

struct fanout {
	uint64_t seq;
	struct buf frames;
	struct buf labels;
	struct buf run;
	bool starved;
	struct log_limit lapped, damaged, no_memory;
	unsigned count;
	unsigned delivered[BATCH_EVENTS];
	struct ring_record records[BATCH_EVENTS];
};

struct fanout *
fanout_new(uint64_t seq)
{
	struct fanout *fanout = mem_zalloc(sizeof(*fanout));

	if (fanout != NULL)
		fanout->seq = seq;
	return fanout;
}

void
fanout_free(struct fanout *fanout)
{
	if (fanout == NULL)
		return;
	buf_fini(&fanout->frames);
	buf_fini(&fanout->labels);
	buf_fini(&fanout->run);
	mem_free(fanout);
}

uint64_t
fanout_seq(const struct fanout *fanout)
{
	return fanout->seq;
}

bool
fanout_is_starved(const struct fanout *fanout)
{
	return fanout->starved;
}

/* A ring that others fill or damage as they like must not fill the log. */
static bool
may_log(struct log_limit *limit)
{
	unsigned suppressed = 0;

	if (!log_limit_pass(limit, clock_mono_ms(), LINES_A_MINUTE, &suppressed))
		return false;
	if (suppressed > 0)
		log_warning("%u more of what follows were not logged", suppressed);
	return true;
}

static struct span
name_of(const struct fanout *f, const struct ring_record *record)
{
	return span_make(f->labels.data + record->label_offset, record->name_len);
}

static struct span
key_of(const struct fanout *f, const struct ring_record *record)
{
	return span_make(f->labels.data + record->label_offset + record->name_len, record->key_len);
}

static struct span
frame_of(const struct fanout *f, const struct ring_record *record)
{
	return span_make(f->frames.data + record->frame_offset, record->frame_len);
}

/* Events are gone that these clients were owed; without resume they have to start over. */
static void
on_lapped(struct gateway *g)
{
	struct fanout *f = g->fanout;
	uint64_t oldest = ring_oldest(g->ring);
	uint64_t next = oldest > f->seq + 1 ? oldest : f->seq + 2;
	struct list *at, *tmp;

	if (may_log(&f->lapped))
		log_warning("overtaken by the event ring: events %llu to %llu were lost here",
		    (unsigned long long)f->seq + 1, (unsigned long long)next - 1);
	ring_reader_lapped(g->ring, g->slot, next - 1 - f->seq);
	f->seq = next - 1;
	LIST_FOREACH_SAFE (at, tmp, &g->connections) {
		struct connection *c = container_of(at, struct connection, link);

		if (c->audience == NULL)
			continue;
		counters_add(&g->counters->lapped_closed, 1);
		connection_close(c, 1013, "Events were lost on the way; come back and start over");
	}
}

/* The next event cannot be had, now or for ever. */
static void
on_unreadable(struct gateway *g, enum ring_verdict verdict)
{
	struct fanout *f = g->fanout;

	switch (verdict) {
	case RING_RECORD:
	case RING_EMPTY:
		break;
	case RING_NOMEM:
		f->starved = true;
		if (may_log(&f->no_memory))
			log_error("out of memory while reading the event ring");
		break;
	case RING_DAMAGED:
		if (may_log(&f->damaged))
			log_error(
			    "event %llu in the ring is damaged", (unsigned long long)f->seq + 1);
		on_lapped(g);
		break;
	case RING_LAPPED:
		on_lapped(g);
		break;
	}
}

/* Reads up to a batch; false when there was nothing. */
static bool
take_batch(struct gateway *g)
{
	struct fanout *f = g->fanout;
	enum ring_verdict verdict = RING_RECORD;

	f->starved = false;
	f->count = 0;
	buf_reset(&f->frames);
	buf_reset(&f->labels);
	while (f->count < BATCH_EVENTS && f->frames.len < BATCH_BYTES) {
		verdict = ring_read(
		    g->ring, f->seq + f->count + 1, &f->frames, &f->labels, &f->records[f->count]);
		if (verdict != RING_RECORD)
			break;
		f->delivered[f->count++] = 0;
	}
	/* Behind a batch it waits for the next one. */
	if (f->count == 0)
		on_unreadable(g, verdict);
	return f->count > 0;
}

/* Matches the batch for one audience: the bytes that each member gets. */
static struct span
match(struct fanout *f, const struct audience *audience)
{
	bool all = true;

	buf_reset(&f->run);
	for (unsigned i = 0; i < f->count; i++) {
		const struct ring_record *record = &f->records[i];
		bool taken = (record->flags & RING_FLAG_ALWAYS) != 0 ||
			     filter_takes(audience->filter, name_of(f, record), key_of(f, record));

		if (taken) {
			f->delivered[i] += audience->member_count;
			if (!all)
				buf_append_span(&f->run, frame_of(f, record));
		} else if (all) {
			/* The first one left out: from here on what is taken is gathered. */
			all = false;
			buf_append(&f->run, f->frames.data, record->frame_offset);
		}
	}
	return all ? buf_span(&f->frames) : buf_span(&f->run);
}

static void
serve(struct gateway *g, struct audience *audience)
{
	struct fanout *f = g->fanout;
	struct span run = match(f, audience);
	bool lost = buf_status(&f->run) != 0;
	struct list *at, *tmp;
	/* The audience is freed with its last member, and with it the head of the list. */
	unsigned left = audience->member_count;

	if (!lost && run.n == 0)
		return;
	if (lost && may_log(&f->no_memory))
		log_error("out of memory: %u clients are closed, their events were lost", left);
	LIST_FOREACH_SAFE (at, tmp, &audience->members) {
		struct connection *c = container_of(at, struct connection, member);

		if (lost)
			connection_close(c, 1013, "Events were lost on the way; come back later");
		else
			connection_send_run(c, run);
		if (--left == 0)
			break;
	}
}

static void
count_batch(struct gateway *g)
{
	struct fanout *f = g->fanout;
	uint64_t now_ns = clock_mono_ns();

	for (unsigned i = 0; i < f->count; i++) {
		const struct ring_record *record = &f->records[i];

		if (f->delivered[i] == 0)
			continue;
		counters_add(&g->counters->deliveries, f->delivered[i]);
		counters_observe(&g->counters->delivery_latency,
		    now_ns > record->published_ns ? now_ns - record->published_ns : 0);
	}
}

bool
fanout_pump(struct gateway *g)
{
	struct fanout *f = g->fanout;
	struct list *at, *tmp;

	if (!take_batch(g)) {
		/* A burst must not be paid for ever; a batch that follows at once has its room. */
		buf_rest(&f->frames, KEPT_BYTES);
		buf_rest(&f->labels, KEPT_BYTES);
		buf_rest(&f->run, KEPT_BYTES);
		return false;
	}
	LIST_FOREACH_SAFE (at, tmp, audiences_list(g->audiences))
		serve(g, container_of(at, struct audience, link));
	for (unsigned i = 0; i < f->count; i++)
		recent_note(g->recent, &f->records[i], name_of(f, &f->records[i]),
		    key_of(f, &f->records[i]), frame_of(f, &f->records[i]));
	count_batch(g);
	f->seq += f->count;
	ring_reader_moved(g->ring, g->slot, f->seq);
	return true;
}
