/*
 * Serving connections from the ring, each at its own position.
 *
 * Invariants: a connection in an audience is either in its `level` list or in one of the lists here,
 * never in both; one that holds a frame is in `stuck`, which is ordered by how long it does; `seq` of
 * one that holds a frame is that frame's, since it is going to be finished.
 */
#include "gateway/catchup.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "bus/counters.h"
#include "bus/ring.h"
#include "conf/conf.h"
#include "gateway/audience.h"
#include "gateway/context.h"
#include "gateway/notice.h"
#include "gateway/stuck.h"
#include "gateway/traffic.h"

enum {
	BATCH_BYTES = 128 * 1024,      /* more than that few sockets take at once */
	BATCHES_EACH_TURN = 2,	       /* for one connection: the others have their turn too */
	BYTES_EACH_TURN = 1024 * 1024, /* read for all, before those that are level have theirs */
	COST_OF_READING = 4096,	       /* a batch costs that much at least, however short it is */
	KEPT_BYTES = 256 * 1024,       /* of each buffer, while nobody is behind */
	COPIED_PART = 2,   /* of the ring that is published before a held frame is overwritten, */
	DROPPED_PART = 16, /* when it is copied, and when given up */
};

struct catchup {
	struct list stuck;   /* hold a frame */
	struct list waiting; /* for the socket */
	struct list ready;   /* to be served */
	struct list ahead;   /* of this worker, since another one was faster */
	uint64_t unkept;     /* no event before this one is held without a copy, but: */
	uint64_t unroomed;   /* none before this one for want of room */
	size_t budget;	     /* bytes that may still be read in this turn */
	struct batch batch;
	bool is_starved; /* no memory: the next tick is time enough */
};

struct catchup *
catchup_new(void)
{
	struct catchup *k = mem_zalloc(sizeof(*k));

	if (k == NULL)
		return NULL;
	list_init(&k->stuck);
	list_init(&k->waiting);
	list_init(&k->ready);
	list_init(&k->ahead);
	k->unkept = k->unroomed = UINT64_MAX;
	return k;
}

void
catchup_free(struct catchup *k)
{
	if (k == NULL)
		return;
	batch_fini(&k->batch);
	mem_free(k);
}

static bool
is_behind(const struct connection *c)
{
	return !list_is_empty(&c->lag);
}

/* Becomes, or stays, one that is behind, in this list. */
static void
enter(struct connection *c, struct list *list)
{
	if (!is_behind(c)) {
		counters_add(&c->gateway->counters->catching_up, 1);
		c->lag_since_ms = clock_mono_ms();
		audience_fall_behind(c);
	}
	list_remove(&c->lag);
	list_append(list, &c->lag);
}

void
catchup_leave(struct connection *c)
{
	if (!is_behind(c))
		return;
	counters_subtract(&c->gateway->counters->catching_up, 1);
	list_remove(&c->lag);
}

void
catchup_begin(struct connection *c, uint64_t seq)
{
	struct catchup *k = c->gateway->catchup;

	c->seq = seq;
	if (seq > c->gateway->level_seq)
		enter(c, &k->ahead);
	else
		enter(c, c->stalled ? &k->waiting : &k->ready);
}

/* Events of the run up to and including number `last` are delivered, or as good as. */
static void
count_deliveries(struct connection *c, const struct batch *batch, unsigned last)
{
	unsigned n = 0;

	for (unsigned i = 0; i <= last; i++)
		n += batch->taken[i];
	counters_add(&c->gateway->counters->deliveries, n);
}

void
catchup_begin_inside(struct connection *c, const struct batch *batch, size_t sent, uint64_t before)
{
	struct gateway *g = c->gateway;
	struct batch_place place = batch_locate(batch, sent);
	struct stuck_frame *frame;

	c->seq = before + place.index;
	if (place.offset == 0) {
		if (place.index > 0)
			count_deliveries(c, batch, place.index - 1);
		enter(c, &g->catchup->waiting);
		return;
	}
	frame = stuck_frame_ref(g->stuck, batch->records[place.index].seq, place.form, place.frame);
	if (frame == NULL) {
		connection_abort(c, LEDGER_INTERNAL, "out of memory");
		return;
	}
	c->seq++;
	g->catchup->unkept = min_u64(g->catchup->unkept, c->seq);
	count_deliveries(c, batch, place.index);
	if (connection_hold_take(c, frame, place.frame.n - place.offset))
		enter(c, &g->catchup->stuck);
}

/* --- serving ------------------------------------------------------------------------------ */

/* `at` of the first event that can still be read: what is told before it must not be later. */
static uint64_t
at_of(struct gateway *g, uint64_t seq)
{
	struct batch *batch = &g->catchup->batch;

	if (batch_read(batch, g->ring, seq - 1, seq, 1) == RING_RECORD)
		return batch->records[0].at_ms;
	return ring_last_at_ms(g->ring);
}

/* Events are gone that the client was owed. */
static bool
pass_over(struct connection *c)
{
	struct gateway *g = c->gateway;
	uint64_t oldest = ring_oldest(g->ring);
	uint64_t next = oldest > c->seq + 1 ? oldest : c->seq + 2;
	uint64_t from = c->seq + 1;

	c->seq = next - 1;
	counters_add(&g->counters->gaps, 1);
	notice_gap(c, from, c->seq, at_of(g, next));
	return c->state == CONNECTION_OPEN;
}

/* Of a batch that only one may take nothing is compressed. */
static bool
match(const struct connection *c, struct span *ret_run)
{
	struct batch *batch = &c->gateway->catchup->batch;
	const struct filter *filter = c->audience->filter;

	if (c->audience->form == WIRE_SSE)
		return batch_match_sse(
		    batch, filter, span_cstr(ring_epoch(c->gateway->ring)), ret_run);
	return batch_match(batch, filter, ret_run);
}

/* Sends the batch that was read; false when the connection can take no more, or is at its end. */
static bool
send_batch(struct connection *c)
{
	struct catchup *k = c->gateway->catchup;
	struct batch *batch = &k->batch;
	uint64_t before = c->seq;
	struct span run;
	size_t sent;

	if (!match(c, &run)) {
		k->is_starved = true;
		return false;
	}
	sent = connection_send_run(c, run);
	if (c->state != CONNECTION_OPEN)
		return false;
	if (sent < run.n) {
		catchup_begin_inside(c, batch, sent, before);
		return false;
	}
	if (run.n > 0)
		count_deliveries(c, batch, batch->count - 1);
	c->seq = batch->records[batch->count - 1].seq;
	return true;
}

/* One batch, or one gap; false when that was all at present. */
static bool
give(struct connection *c)
{
	struct gateway *g = c->gateway;
	struct catchup *k = g->catchup;
	enum ring_verdict verdict =
	    batch_read(&k->batch, g->ring, c->seq, g->level_seq, BATCH_BYTES);

	k->budget -= min_size(k->budget, k->batch.frames.len + COST_OF_READING);
	switch (verdict) {
	case RING_RECORD:
		return send_batch(c);
	case RING_LAPPED:
	case RING_DAMAGED:
		return pass_over(c);
	case RING_NOMEM:
	case RING_EMPTY:
		/* EMPTY: the worker has read it, so somebody runs wild. Nothing is gained by haste. */
		k->is_starved = true;
		return false;
	}
	return false;
}

/* Serves one as far as its socket and its share of the turn go. */
static void
serve(struct connection *c)
{
	struct gateway *g = c->gateway;
	unsigned left = BATCHES_EACH_TURN;

	/* Behind the others that are ready, where it is not level after this. */
	enter(c, &g->catchup->ready);
	while (c->seq < g->level_seq && left-- > 0)
		if (!give(c))
			return;
	if (c->seq > g->level_seq) {
		/* The ring had overtaken the worker too, which does not know it yet. */
		enter(c, &g->catchup->ahead);
	} else if (c->seq == g->level_seq) {
		catchup_leave(c);
		/* Whether its last events were taken by its filter is not known here. */
		audience_rejoin(c, false);
	}
}

void
catchup_on_drained(struct connection *c)
{
	if (is_behind(c))
		enter(c, &c->gateway->catchup->ready);
}

static void
admit_ahead(struct gateway *g)
{
	struct list *at, *tmp;

	LIST_FOREACH_SAFE (at, tmp, &g->catchup->ahead) {
		struct connection *c = container_of(at, struct connection, lag);

		if (c->seq <= g->level_seq)
			enter(c, &g->catchup->ready);
	}
}

static void
serve_ready(struct gateway *g)
{
	struct catchup *k = g->catchup;
	struct list *first;

	k->budget = BYTES_EACH_TURN;
	while ((first = list_first(&k->ready)) != NULL && k->budget > 0 && !k->is_starved)
		serve(container_of(first, struct connection, lag));
}

/* Sees to the frame that this one is stuck in: it is left to the ring, copied, or given up. */
static void
keep_frame(struct connection *c)
{
	struct gateway *g = c->gateway;
	struct catchup *k = g->catchup;
	struct stuck_frame *frame = c->traffic != NULL ? c->traffic->held : NULL;

	if (frame == NULL || frame->copy != NULL)
		return;
	if (ring_keeps(g->ring, c->seq, COPIED_PART))
		k->unkept = min_u64(k->unkept, c->seq);
	else if (stuck_frame_keep(g->stuck, frame, g->conf->gateway.stuck_bytes) == 0)
		return;
	else if (ring_keeps(g->ring, c->seq, DROPPED_PART))
		k->unroomed = min_u64(k->unroomed, c->seq);
	else
		connection_drop_slow(
		    c, "Too slow: an event that was taken in part is not held any longer");
}

/*
 * Frames that the ring comes near to overwriting are copied, as far as stuck_bytes goes; who is stuck in another
 * one is dropped when it is nearly overwritten, since it could not be sent the rest. All are looked through a few
 * times a lap of the ring; in the other turns the oldest two tell that there is nothing to do.
 */
static void
keep_endangered(struct gateway *g)
{
	struct catchup *k = g->catchup;
	struct list *at, *tmp;

	if (ring_keeps(g->ring, k->unkept, COPIED_PART * 2) &&
	    ring_keeps(g->ring, k->unroomed, DROPPED_PART * 4))
		return;
	k->unkept = k->unroomed = UINT64_MAX;
	LIST_FOREACH_SAFE (at, tmp, &k->stuck)
		keep_frame(container_of(at, struct connection, lag));
}

void
catchup_turn(struct gateway *g)
{
	struct catchup *k = g->catchup;

	k->is_starved = false;
	admit_ahead(g);
	serve_ready(g);
	keep_endangered(g);
	if (list_is_empty(&k->ready) && k->batch.frames.cap > 0)
		batch_rest(&k->batch, KEPT_BYTES);
}

bool
catchup_has_work(const struct gateway *g)
{
	return !list_is_empty(&g->catchup->ready) && !g->catchup->is_starved;
}

static void
close_late(struct list *list, uint64_t late_ms)
{
	struct list *at, *tmp;

	LIST_FOREACH_SAFE (at, tmp, list) {
		struct connection *c = container_of(at, struct connection, lag);

		if (c->lag_since_ms <= late_ms)
			connection_close_slow(
			    c, LEDGER_SLOW, "Too slow: events were not taken in time");
	}
}

void
catchup_tick(struct gateway *g, uint64_t now_ms)
{
	struct catchup *k = g->catchup;
	uint64_t timeout_ms = g->conf->gateway.slow_consumer_timeout_ms;

	stuck_frames_tick(g->stuck);
	if (now_ms <= timeout_ms)
		return;
	close_late(&k->stuck, now_ms - timeout_ms);
	close_late(&k->waiting, now_ms - timeout_ms);
	close_late(&k->ready, now_ms - timeout_ms);
	close_late(&k->ahead, now_ms - timeout_ms);
}

uint64_t
catchup_seq(const struct connection *c)
{
	return is_behind(c) ? c->seq : c->gateway->level_seq;
}
