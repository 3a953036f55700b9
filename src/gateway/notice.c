/*
 * Notices are rare and short: each is built anew for each connection.
 */
#include "gateway/notice.h"

#include <inttypes.h>
#include <stdio.h>

#include "bus/ring.h"
#include "gateway/context.h"
#include "proto/eventframe.h"
#include "proto/frame.h"
#include "proto/sse.h"

static void
queue_sse(struct connection *c, uint64_t seq, struct span frame)
{
	struct buf text = { 0 };

	sse_append(&text, SPAN(""), span_cstr(ring_epoch(c->gateway->ring)), seq,
	    span_skip(frame, frame_payload_offset(frame)));
	if (buf_status(&text) == 0)
		connection_queue(c, buf_span(&text));
	else
		connection_fail(c);
	buf_fini(&text);
}

static void
notify(struct connection *c, uint64_t seq, uint64_t at_ms, struct span event, struct span payload)
{
	struct eventframe frame = { 0 };

	if (eventframe_build(&frame, seq, at_ms, event, payload, SPAN("")) != 0)
		connection_fail(c);
	else if (c->is_stream)
		queue_sse(c, seq, buf_span(&frame.bytes));
	else
		connection_queue(c, buf_span(&frame.bytes));
	eventframe_fini(&frame);
}

void
notice_gap(struct connection *c, uint64_t from, uint64_t to, uint64_t at_ms)
{
	char payload[64];

	snprintf(payload, sizeof(payload), "{\"from\":%" PRIu64 ",\"to\":%" PRIu64 "}", from, to);
	notify(c, to, at_ms, SPAN("gateway.gap"), span_cstr(payload));
}

void
notice_position(struct connection *c, uint64_t seq, uint64_t at_ms)
{
	notify(c, seq, at_ms, SPAN("gateway.position"), SPAN(""));
}

void
notice_retirement(struct connection *c, uint64_t seq, uint64_t at_ms)
{
	notify(c, seq, at_ms, SPAN("gateway.shutdown"),
	    SPAN("{\"reason\":\"retiring\",\"restartExpectedMs\":0}"));
}
