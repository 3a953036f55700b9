/*
 * events.history: what the ring still holds, page by page.
 *
 * A page ends at `limit` events, at policy.maxPayload bytes, or when a good deal of the ring was looked
 * through in vain: nobody's request may keep the worker from the others. The answer's `seq` says how far
 * it came, and is the next page's afterSeq.
 */
#include "gateway/method_history.h"

#include <errno.h>
#include <inttypes.h>

#include "base/jsonw.h"
#include "base/macros.h"
#include "bus/ring.h"
#include "conf/conf.h"
#include "gateway/admission.h"
#include "gateway/batch.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "proto/frame.h"
#include "proto/params.h"
#include "proto/subscription.h"

enum { HISTORY_AFTER, HISTORY_LIMIT, HISTORY_PARAMS };
enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 200 };

enum {
	BATCHES_EACH_REQUEST = 8,
	BATCH_BYTES = 256 * 1024,
	/* What stands around the page: an id of 128 bytes can be six times as long when escaped. */
	ENVELOPE_ROOM = 1024,
};

static const struct param history_table[HISTORY_PARAMS] = {
	[HISTORY_AFTER] = { .name = "afterSeq",
	    .alias = "after_seq",
	    .kind = PARAM_INTEGER,
	    .min = 0,
	    .max = INT64_C(1) << 53 },
	[HISTORY_LIMIT] = { .name = "limit", .kind = PARAM_INTEGER, .min = 1, .max = LIMIT_MAX },
};

struct page {
	const struct filter *filter;
	uint64_t seq; /* all up to here was looked at */
	uint64_t until;
	uint64_t limit, count;
	size_t room; /* bytes; the first event is told in any case */
	struct jsonw w;
	bool is_full, no_memory;
};

static struct span
text_of(struct span frame)
{
	return span_skip(frame, frame_payload_offset(frame));
}

/* Writes what the filter takes of the batch, as far as there is room. */
static void
write_batch(struct page *page, struct batch *batch)
{
	struct span run;

	page->no_memory = !batch_match(batch, page->filter, &run);
	for (unsigned i = 0; i < batch->count && !page->no_memory; i++) {
		struct span text = text_of(batch_frame(batch, i));

		if (batch->taken[i]) {
			page->is_full =
			    page->count == page->limit || (page->count > 0 && text.n > page->room);
			if (page->is_full)
				return;
			jsonw_raw(&page->w, text);
			page->room -= min_size(text.n + 1, page->room);
			page->count++;
		}
		page->seq = batch->records[i].seq;
	}
}

/* The event behind the page's position is gone: the page goes on with the oldest that is left. */
static void
pass_over(struct page *page, struct ring *ring)
{
	uint64_t oldest = ring_oldest(ring);

	page->seq = oldest > page->seq + 1 ? oldest - 1 : page->seq + 1;
}

static void
write_events(struct page *page, struct ring *ring)
{
	struct batch batch = { 0 };

	for (unsigned left = BATCHES_EACH_REQUEST; left > 0 && page->seq < page->until; left--) {
		switch (batch_read(&batch, ring, page->seq, page->until, BATCH_BYTES)) {
		case RING_RECORD:
			write_batch(page, &batch);
			break;
		case RING_LAPPED:
		case RING_DAMAGED:
			pass_over(page, ring);
			break;
		case RING_EMPTY:
			left = 1;
			break;
		case RING_NOMEM:
			page->no_memory = true;
			break;
		}
		if (page->is_full || page->no_memory)
			break;
	}
	batch_fini(&batch);
}

static void
answer_page(const struct answer *to, struct page *page)
{
	struct gateway *g = to->connection->gateway;
	struct jsonw *w = &page->w;

	buf_reset(&g->text);
	jsonw_init(w, &g->text);
	jsonw_object(w);
	jsonw_key(w, "events");
	jsonw_array(w);
	write_events(page, g->ring);
	jsonw_array_end(w);
	jsonw_key(w, "oldestSeq");
	jsonw_uint(w, ring_oldest(g->ring));
	jsonw_key(w, "seq");
	jsonw_uint(w, page->seq);
	jsonw_object_end(w);
	if (page->no_memory || buf_status(&g->text) != 0)
		answer_no_memory(to);
	else
		answer_result(to, buf_span(&g->text));
}

static void
answer_history(const struct answer *to, const struct param_value *values, struct filter *filter)
{
	const struct gateway *g = to->connection->gateway;
	uint64_t oldest = ring_oldest(g->ring);
	size_t max = g->conf->gateway.max_payload;
	struct page page = {
		.filter = filter,
		.seq = oldest > 0 ? oldest - 1 : 0,
		.until = ring_head(g->ring),
		.limit = LIMIT_DEFAULT,
		.room = max > ENVELOPE_ROOM ? max - ENVELOPE_ROOM : 0,
	};

	if (values[HISTORY_LIMIT].is_present)
		page.limit = (uint64_t)values[HISTORY_LIMIT].integer;
	if (values[HISTORY_AFTER].is_present)
		page.seq = (uint64_t)values[HISTORY_AFTER].integer;
	if (page.seq > page.until)
		answer_fail(to, ERROR_INVALID_REQUEST, "invalid-field", "params.afterSeq",
		    "afterSeq must not be beyond the last event, %" PRIu64, page.until);
	else
		answer_page(to, &page);
}

/* 0, or -errno when that was answered. */
static int
read_params(
    const struct answer *to, struct span text, struct params *params, struct filter **ret_filter)
{
	struct envelope_fault fault;
	int r = params_read(params, text, "params", history_table, HISTORY_PARAMS, &fault);

	if (r == 0) {
		r = subscription_parse(text, "params", ret_filter, &fault);
		if (r != 0)
			params_fini(params);
	}
	if (r == -EBADMSG)
		answer_fault(to, &fault);
	else if (r != 0)
		answer_no_memory(to);
	return r;
}

void
method_events_history(const struct answer *to, const struct envelope *frame)
{
	struct params params;
	struct filter *filter = NULL;

	if (read_params(to, frame->params.text, &params, &filter) != 0)
		return;
	admission_restrict(to->connection, filter);
	answer_history(to, params.values, filter);
	filter_free(filter);
	params_fini(&params);
}
