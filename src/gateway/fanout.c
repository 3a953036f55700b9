/*
 * From the ring to the clients that are level with this worker. Who cannot take what is sent becomes
 * gateway/catchup's business, in the midst of a batch if need be, and costs the others nothing.
 */
#include "gateway/fanout.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/counters.h"
#include "bus/ring.h"
#include "conf/conf.h"
#include "gateway/audience.h"
#include "gateway/batch.h"
#include "gateway/catchup.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/notice.h"
#include "gateway/recent.h"
#include "gateway/sender.h"

enum {
	BATCH_BYTES = 1024 * 1024,
	KEPT_BYTES = 1024 * 1024, /* of each buffer, while there is nothing to deliver */
	LINES_A_MINUTE = 10,	  /* of each kind */
};

struct fanout {
	struct batch batch;
	bool starved;
	uint64_t noted_seq; /* the last event that the recent sessions know */
	struct log_limit lapped, damaged, no_memory;
	unsigned delivered[BATCH_EVENTS];
	unsigned fell_short; /* of the members that are sent a run */
};

struct fanout *
fanout_new(void)
{
	return mem_zalloc(sizeof(struct fanout));
}

void
fanout_free(struct fanout *fanout)
{
	if (fanout == NULL)
		return;
	batch_fini(&fanout->batch);
	mem_free(fanout);
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

/* All that are level are told the same. */
static void
tell_gap(struct gateway *g, struct audience *audience, uint64_t from)
{
	struct list *at, *tmp;
	unsigned left = audience->level_count;

	audience->sent_ms = clock_mono_ms();
	audience->is_told = true;
	LIST_FOREACH_SAFE (at, tmp, &audience->level) {
		counters_add(&g->counters->gaps, 1);
		notice_gap(container_of(at, struct connection, member), from, g->level_seq,
		    g->level_at_ms);
		if (--left == 0)
			break;
	}
}

/* Events are gone that these clients were owed. */
static void
on_lapped(struct gateway *g)
{
	uint64_t from = g->level_seq + 1;
	uint64_t oldest = ring_oldest(g->ring);
	uint64_t next = oldest > from ? oldest : from + 1;
	struct list *at, *tmp;

	if (may_log(&g->fanout->lapped))
		log_warning("overtaken by the event ring: events %llu to %llu were lost here",
		    (unsigned long long)from, (unsigned long long)next - 1);
	ring_reader_lapped(g->ring, g->slot, next - from);
	g->level_seq = next - 1;
	LIST_FOREACH_SAFE (at, tmp, audiences_list(g->audiences))
		if (container_of(at, struct audience, link)->level_count > 0)
			tell_gap(g, container_of(at, struct audience, link), from);
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
			log_error("event %llu in the ring is damaged",
			    (unsigned long long)g->level_seq + 1);
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
	enum ring_verdict verdict =
	    batch_read(&f->batch, g->ring, g->level_seq, UINT64_MAX, BATCH_BYTES);

	f->starved = false;
	if (verdict != RING_RECORD)
		on_unreadable(g, verdict);
	return verdict == RING_RECORD;
}

/* The run could not be put together: its members become readers of their own, when there is memory. */
static void
put_off(struct gateway *g, struct audience *audience)
{
	struct list *first;

	if (may_log(&g->fanout->no_memory))
		log_error(
		    "out of memory: %u clients get their events later", audience->level_count);
	while ((first = list_first(&audience->level)) != NULL)
		catchup_begin(container_of(first, struct connection, member), g->level_seq);
}

static void
on_short(struct connection *c, size_t sent)
{
	struct gateway *g = c->gateway;

	g->fanout->fell_short++;
	if (c->state == CONNECTION_OPEN)
		catchup_begin_inside(c, &g->fanout->batch, sent, g->level_seq);
}

/* Gives the run to all members; returns how many of them took all of it. */
static unsigned
send_to_members(struct gateway *g, struct audience *audience, struct span run)
{
	struct list *at, *tmp;
	/* The audience is freed with its last member, and with it the head of the list. */
	unsigned count = audience->level_count, left = count;

	g->fanout->fell_short = 0;
	sender_begin(g, run, count, on_short);
	LIST_FOREACH_SAFE (at, tmp, &audience->level) {
		sender_send(g, container_of(at, struct connection, member));
		if (--left == 0)
			break;
	}
	sender_end(g);
	return count - g->fanout->fell_short;
}

/* In the form that the audience is sent; a run that it does not take is compressed for nobody. */
static bool
match(struct gateway *g, const struct audience *audience, struct span *ret_run)
{
	struct batch *batch = &g->fanout->batch;

	switch (audience->form) {
	case WIRE_DEFLATED:
		return batch_match_deflated(batch, audience->filter, g->deflate,
		    (size_t)g->conf->gateway.compression_min_bytes, ret_run);
	case WIRE_SSE:
		return batch_match_sse(
		    batch, audience->filter, span_cstr(ring_epoch(g->ring)), ret_run);
	case WIRE_PLAIN:
	case WIRE_FORMS:
		break;
	}
	return batch_match(batch, audience->filter, ret_run);
}

static void
serve(struct gateway *g, struct audience *audience)
{
	struct fanout *f = g->fanout;
	unsigned served;
	struct span run;

	if (audience->level_count == 0)
		return;
	if (!match(g, audience, &run)) {
		put_off(g, audience);
		return;
	}
	audience->is_told = f->batch.taken[f->batch.count - 1];
	if (run.n == 0)
		return;
	audience->sent_ms = clock_mono_ms();
	served = send_to_members(g, audience, run);
	counters_add(&g->counters->compression_saved_bytes, f->batch.saved * served);
	for (unsigned i = 0; i < f->batch.count; i++)
		f->delivered[i] += f->batch.taken[i] ? served : 0;
}

static void
count_batch(struct gateway *g)
{
	struct fanout *f = g->fanout;
	uint64_t now_ns = clock_mono_ns();

	counters_add(&g->counters->events_compressed, f->batch.deflated_count);
	for (unsigned i = 0; i < f->batch.count; i++) {
		const struct ring_record *record = &f->batch.records[i];

		if (f->delivered[i] == 0)
			continue;
		counters_add(&g->counters->deliveries, f->delivered[i]);
		counters_observe(&g->counters->delivery_latency,
		    now_ns > record->published_ns ? now_ns - record->published_ns : 0);
		f->delivered[i] = 0;
	}
}

/* False without memory: then the batch is read once more, and those that were noted pass for it. */
static bool
note_sessions(struct gateway *g)
{
	struct fanout *f = g->fanout;
	const struct batch *batch = &f->batch;

	for (unsigned i = 0; i < batch->count; i++) {
		const struct ring_record *record = &batch->records[i];

		if (record->seq <= f->noted_seq)
			continue;
		if (recent_note(g->recent, record, batch_name(batch, i), batch_key(batch, i),
			batch_frame(batch, i)) != 0)
			return false;
		f->noted_seq = record->seq;
	}
	return true;
}

bool
fanout_pump(struct gateway *g)
{
	struct fanout *f = g->fanout;
	struct list *at, *tmp;

	if (!take_batch(g)) {
		/* A burst must not be paid for ever; a batch that follows at once has its room. */
		batch_rest(&f->batch, KEPT_BYTES);
		return false;
	}
	/* First, since it can fail: who was sent the batch could not be sent it again. */
	if (!note_sessions(g)) {
		on_unreadable(g, RING_NOMEM);
		return false;
	}
	LIST_FOREACH_SAFE (at, tmp, audiences_list(g->audiences))
		serve(g, container_of(at, struct audience, link));
	count_batch(g);
	g->level_seq += f->batch.count;
	g->level_at_ms = f->batch.records[f->batch.count - 1].at_ms;
	ring_reader_moved(g->ring, g->slot, g->level_seq);
	return true;
}

/* --- positions ---------------------------------------------------------------------------- */

static void
tell_position(struct gateway *g, struct audience *audience, uint64_t now_ms)
{
	struct list *at, *tmp;
	unsigned left = audience->level_count;

	audience->sent_ms = now_ms;
	audience->is_told = true;
	LIST_FOREACH_SAFE (at, tmp, &audience->level) {
		notice_position(
		    container_of(at, struct connection, member), g->level_seq, g->level_at_ms);
		if (--left == 0)
			break;
	}
}

void
fanout_tick(struct gateway *g, uint64_t now_ms)
{
	uint64_t interval_ms = g->conf->gateway.position_interval_ms;
	struct list *at, *tmp;

	LIST_FOREACH_SAFE (at, tmp, audiences_list(g->audiences)) {
		struct audience *audience = container_of(at, struct audience, link);

		if (!audience->is_told && audience->level_count > 0 &&
		    now_ms >= audience->sent_ms + interval_ms)
			tell_position(g, audience, now_ms);
	}
}
