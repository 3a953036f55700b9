/*
 * From a publication to the ring.
 *
 * The frame is built once, outside the ring's lock, with places for the digits of seq, id and at.  The
 * order of publications of this worker is kept: once one waits, all later ones wait behind it.
 */
#include "gateway/publisher.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "bus/bell.h"
#include "bus/counters.h"
#include "gateway/answer.h"
#include "conf/conf.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/namespaces.h"
#include "gateway/pending.h"
#include "proto/eventframe.h"
#include "proto/frame.h"

enum {
	WAITING_MAX_BYTES = 16 * 1024 * 1024,
	WAITING_MAX_MS = 2000,
	LOST_LINES_A_MINUTE = 10,
	FRAME_KEPT_BYTES = 1024 * 1024,
	BUILD_ATTEMPTS = 4, /* seq gains a digit only between two attempts */
};

struct waiting {
	struct list link;
	struct publication publication; /* spans point behind the struct */
	struct pending *pending;	/* NULL: the gateway's own, or its client is gone */
	bool own;
	uint64_t since_ms;
	size_t bytes;
};

struct publisher {
	struct eventframe frame;
	struct list waiting;
	size_t waiting_bytes;
	struct log_limit lost;
	bool published; /* since the readers were woken last */
};

struct publisher *
publisher_new(void)
{
	struct publisher *publisher = mem_zalloc(sizeof(*publisher));

	if (publisher != NULL)
		list_init(&publisher->waiting);
	return publisher;
}

static void
forget(struct publisher *publisher, struct waiting *waiting)
{
	list_remove(&waiting->link);
	publisher->waiting_bytes -= waiting->bytes;
	mem_free(waiting);
}

void
publisher_free(struct publisher *publisher)
{
	struct list *first;

	if (publisher == NULL)
		return;
	while ((first = list_first(&publisher->waiting)) != NULL)
		forget(publisher, container_of(first, struct waiting, link));
	eventframe_fini(&publisher->frame);
	mem_free(publisher);
}

static struct ring_digits
digits_of(const struct eventframe_digits *digits)
{
	return (struct ring_digits){ .offset = digits->offset, .width = digits->width };
}

static int
build_and_publish(struct gateway *g, const struct publication *p, struct ring_receipt *ret)
{
	struct eventframe *frame = &g->publisher->frame;
	struct ring_draft draft = { .name = p->event, .key = p->session_key, .flags = p->flags };
	uint64_t at_ms = clock_real_ms();
	uint64_t last_at_ms = ring_last_at_ms(g->ring);
	int r = eventframe_build(frame, ring_head(g->ring) + 1,
	    at_ms > last_at_ms ? at_ms : last_at_ms, p->event, p->payload, p->session_key);

	if (r < 0)
		return r;
	draft.frame = buf_span(&frame->bytes);
	/* No client has to take a message that it could not have sent. */
	if (draft.frame.n - frame_payload_offset(draft.frame) > g->conf->gateway.max_payload)
		return -EMSGSIZE;
	draft.id = digits_of(&frame->id);
	draft.seq = digits_of(&frame->seq);
	draft.at = digits_of(&frame->at);
	return ring_publish(g->ring, g->slot, &draft, ret);
}

static int
publish_now(struct gateway *g, const struct publication *p, struct ring_receipt *ret)
{
	int r = -ERANGE;

	for (unsigned i = 0; i < BUILD_ATTEMPTS && r == -ERANGE; i++)
		r = build_and_publish(g, p, ret);
	if (r == -ERANGE || r == -ETIMEDOUT)
		return -EAGAIN;
	if (r == 0) {
		g->publisher->published = true;
		counters_add(&g->counters->events_published[namespace_index(p->event)], 1);
	}
	return r;
}

int
publisher_publish(struct gateway *g, const struct publication *p, struct ring_receipt *ret)
{
	if (publisher_is_waiting(g->publisher))
		return -EAGAIN;
	return publish_now(g, p, ret);
}

static struct span
copy_span(char **at, struct span from)
{
	struct span to = span_make(*at, from.n);

	if (from.n > 0)
		memcpy(*at, from.p, from.n);
	*at += from.n;
	return to;
}

static int
enqueue(struct gateway *g, const struct publication *p, struct pending *pending)
{
	struct publisher *publisher = g->publisher;
	size_t bytes = sizeof(struct waiting) + p->event.n + p->payload.n + p->session_key.n;
	struct waiting *waiting;
	char *at;

	if (bytes > WAITING_MAX_BYTES - publisher->waiting_bytes)
		return -ENOBUFS;
	waiting = mem_zalloc(bytes);
	if (waiting == NULL)
		return -ENOMEM;
	at = (char *)(waiting + 1);
	waiting->publication.event = copy_span(&at, p->event);
	waiting->publication.payload = copy_span(&at, p->payload);
	waiting->publication.session_key = copy_span(&at, p->session_key);
	waiting->publication.flags = p->flags;
	waiting->pending = pending;
	waiting->own = pending == NULL;
	waiting->since_ms = clock_mono_ms();
	waiting->bytes = bytes;
	publisher->waiting_bytes += bytes;
	list_append(&publisher->waiting, &waiting->link);
	return 0;
}

int
publisher_wait(struct gateway *g, const struct publication *p, struct pending *pending)
{
	int r = enqueue(g, p, pending);

	if (r == 0) {
		pending->owner =
		    container_of(list_last(&g->publisher->waiting), struct waiting, link);
		connection_pause(pending->answer.connection);
	}
	return r;
}

/* Its client has gone, but the event was asked for: it is published all the same. */
void
publisher_on_gone(struct pending *pending)
{
	struct waiting *waiting = pending->owner;
	struct connection *c = pending->answer.connection;

	waiting->pending = NULL;
	if (c->state == CONNECTION_OPEN)
		connection_resume(c);
}

/* Nobody waits for an answer that could tell it. */
void
publisher_lose(struct gateway *g, struct span event, int error)
{
	struct publisher *publisher = g->publisher;
	unsigned suppressed = 0;

	if (!log_limit_pass(&publisher->lost, clock_mono_ms(), LOST_LINES_A_MINUTE, &suppressed))
		return;
	if (suppressed > 0)
		log_error("%u more of the gateway's own events were lost", suppressed);
	log_error(
	    "an event of the gateway's own was lost: %.*s: %s", SPAN_ARGS(event), strerror(-error));
}

void
publisher_announce(struct gateway *g, const struct publication *p)
{
	struct ring_receipt receipt;
	int r = publisher_publish(g, p, &receipt);

	if (r == -EAGAIN)
		r = enqueue(g, p, NULL);
	if (r != 0)
		publisher_lose(g, p->event, r);
}

static void
answer_receipt(const struct answer *to, const struct ring_receipt *receipt)
{
	/* It is published: nobody may be told that there was no memory for it. */
	char text[96];

	snprintf(text, sizeof(text), "{\"id\":\"evt_%08" PRIx64 "\",\"seq\":%" PRIu64 "}",
	    receipt->seq, receipt->seq);
	answer_result(to, span_cstr(text));
}

void
publisher_answer(const struct answer *to, int r, const struct ring_receipt *receipt)
{
	switch (r) {
	case 0:
		answer_receipt(to, receipt);
		break;
	case -EAGAIN:
		answer_fail(to, ERROR_UNAVAILABLE, "bus-busy", NULL,
		    "The event bus did not answer in time; publish again");
		break;
	case -ENOBUFS:
		answer_fail(to, ERROR_UNAVAILABLE, "bus-busy", NULL,
		    "The event bus is busy and too much waits for it; publish again");
		break;
	case -EMSGSIZE:
		answer_fail(to, ERROR_INVALID_REQUEST, "too-large", "params.payload",
		    "The event would be longer than policy.maxPayload; publish a smaller payload");
		break;
	case -ENOMEM:
		answer_no_memory(to);
		break;
	default:
		answer_fail(to, ERROR_INTERNAL_ERROR, "bus-broken", NULL,
		    "The event ring is not usable; the gateway has to be restarted");
		break;
	}
}

/* It is over.  Off the queue first: the answer can let its connection publish again. */
static void
settle(struct gateway *g, struct waiting *waiting, int r, const struct ring_receipt *receipt)
{
	struct pending *pending = waiting->pending;

	if (waiting->own && r != 0)
		publisher_lose(g, waiting->publication.event, r);
	forget(g->publisher, waiting);
	if (pending == NULL)
		return;
	pending_detach(pending);
	publisher_answer(&pending->answer, r, receipt);
	if (pending->answer.connection->state == CONNECTION_OPEN)
		connection_resume(pending->answer.connection);
	pending_free(pending);
}

/* Answers the clients whose publications wait too long, also those behind the gateway's own. */
static void
settle_late(struct gateway *g, uint64_t now_ms)
{
	struct list *at, *tmp;

	/* Answers can add to the queue, but only settling takes from it. */
	LIST_FOREACH_SAFE (at, tmp, &g->publisher->waiting) {
		struct waiting *waiting = container_of(at, struct waiting, link);

		/* What is queued later waits less long. */
		if (now_ms - waiting->since_ms < WAITING_MAX_MS)
			break;
		if (!waiting->own)
			settle(g, waiting, -EAGAIN, NULL);
	}
}

void
publisher_wake(struct gateway *g)
{
	if (!g->publisher->published)
		return;
	g->publisher->published = false;
	bell_ring_all(g->segment);
}

void
publisher_turn(struct gateway *g)
{
	struct publisher *publisher = g->publisher;
	struct list *first;

	while ((first = list_first(&publisher->waiting)) != NULL) {
		struct waiting *waiting = container_of(first, struct waiting, link);
		struct ring_receipt receipt = { 0 };
		int r = publish_now(g, &waiting->publication, &receipt);

		if (r == -EAGAIN) {
			settle_late(g, clock_mono_ms());
			break;
		}
		settle(g, waiting, r, &receipt);
	}
	buf_reset(&publisher->frame.bytes);
	buf_trim(&publisher->frame.bytes, FRAME_KEPT_BYTES);
	publisher_wake(g);
}

bool
publisher_is_waiting(const struct publisher *publisher)
{
	return !list_is_empty(&publisher->waiting);
}
