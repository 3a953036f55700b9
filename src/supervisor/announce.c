/*
 * Why this file exists: clients are told that the gateway stops before the first worker begins to
 * drain, so the event goes into the ring ahead of whatever the workers do.
 */
#include "supervisor/announce.h"

#include <errno.h>

#include "base/clock.h"
#include "base/jsonw.h"
#include "bus/bell.h"
#include "bus/ring.h"
#include "bus/segment.h"
#include "proto/eventframe.h"

enum { TRIES = 10 }; /* of 20 ms at most each: the lock is held; or the numbers moved on */

static struct ring_digits
ring_place(struct eventframe_digits place)
{
	return (struct ring_digits){ place.offset, place.width };
}

static int
publish_once(struct segment *segment, struct eventframe *frame, struct ring_draft *draft,
    struct span payload)
{
	struct ring *ring = segment_ring(segment);
	struct ring_receipt receipt;
	int r;

	r = eventframe_build(frame, ring_head(ring) + 1,
	    max_u64(ring_last_at_ms(ring), clock_real_ms()), draft->name, payload, SPAN(""));
	if (r < 0)
		return r;
	draft->frame = buf_span(&frame->bytes);
	draft->id = ring_place(frame->id);
	draft->seq = ring_place(frame->seq);
	draft->at = ring_place(frame->at);
	return ring_publish(ring, segment_supervisor_slot(segment), draft, &receipt);
}

static int
publish(struct segment *segment, struct span event, uint32_t flags, struct span payload)
{
	struct ring_draft draft = { .name = event, .flags = flags };
	struct eventframe frame = { 0 };
	int r = -ETIMEDOUT;

	for (unsigned i = 0; i < TRIES && (r == -ERANGE || r == -ETIMEDOUT); i++)
		r = publish_once(segment, &frame, &draft, payload);
	if (r == 0)
		bell_ring_all(segment);
	eventframe_fini(&frame);
	return r == -ERANGE || r == -ETIMEDOUT ? -EAGAIN : r;
}

int
announce_event(struct segment *segment, struct span event, struct span payload)
{
	return publish(segment, event, 0, payload);
}

int
announce_shutdown(struct segment *segment, const char *reason, uint32_t restart_expected_ms)
{
	struct buf payload = { 0 };
	struct jsonw w;
	int r;

	jsonw_init(&w, &payload);
	jsonw_object(&w);
	jsonw_key(&w, "reason");
	jsonw_cstr(&w, reason);
	if (restart_expected_ms > 0) {
		jsonw_key(&w, "restartExpectedMs");
		jsonw_uint(&w, restart_expected_ms);
	}
	jsonw_object_end(&w);
	r = buf_status(&payload);
	if (r == 0)
		r = publish(
		    segment, SPAN("gateway.shutdown"), RING_FLAG_ALWAYS, buf_span(&payload));
	buf_fini(&payload);
	return r;
}
