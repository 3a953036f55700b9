/*
 * One codec and one buffer for each direction serve all connections, since each message is dealt with to its
 * end before the next one.
 */
#include "gateway/message.h"

#include "bus/counters.h"
#include "conf/conf.h"
#include "gateway/context.h"
#include "gateway/outcomes.h"
#include "gateway/refuse.h"
#include "proto/deflate.h"
#include "proto/frame.h"
#include "proto/utf8.h"

void
message_queue(struct connection *c, enum ws_opcode opcode, struct span payload)
{
	struct gateway *g = c->gateway;
	size_t plain_len = frame_header_size(payload.n) + payload.n;

	buf_reset(&g->deflated);
	if (!c->deflate || payload.n < g->conf->gateway.compression_min_bytes ||
	    !deflate_append_frame(g->deflate, &g->deflated, opcode, payload)) {
		connection_queue_frame(c, opcode, payload);
		return;
	}
	counters_add(&g->counters->compression_saved_bytes, plain_len - g->deflated.len);
	connection_queue(c, buf_span(&g->deflated));
}

/* Of somebody who has not said hello it is a bad one; that of the others was settled long ago. */
static bool
refuse(struct connection *c, uint16_t code, const char *reason)
{
	enum ledger_cause cause = c->hello != NULL ? LEDGER_TOO_BIG : LEDGER_HELLO_TOO_BIG;

	refuse_log(c, reason);
	outcome_settle(c, OUTCOME_BAD_HELLO);
	if (code != WS_CLOSE_TOO_BIG)
		cause = LEDGER_PROTOCOL_ERROR;
	connection_close(c, cause, code, reason);
	return false;
}

bool
message_inflate(struct connection *c, bool binary, size_t limit, struct span *payload)
{
	struct gateway *g = c->gateway;

	buf_reset(&g->inflated);
	switch (deflate_inflate(g->deflate, &g->inflated, *payload, limit)) {
	case INFLATE_DONE:
		break;
	case INFLATE_BAD:
		return refuse(
		    c, WS_CLOSE_BAD_DATA, "The compressed message is no DEFLATE data (RFC 7692).");
	case INFLATE_TOO_BIG:
		return refuse(
		    c, WS_CLOSE_TOO_BIG, "The message is larger than accepted when inflated.");
	case INFLATE_NOMEM:
		connection_fail(c);
		return false;
	}
	counters_add(&g->counters->messages_inflated, 1);
	*payload = buf_span(&g->inflated);
	if (!binary && !utf8_is_valid(*payload))
		return refuse(c, WS_CLOSE_BAD_DATA, "The text message is not valid UTF-8.");
	return true;
}
