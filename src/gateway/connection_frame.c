/*
 * The acts of a connection that have to know where a frame begins and ends.
 */
#include "bus/counters.h"
#include "gateway/connection.h"
#include "gateway/context.h"

void
connection_close_slow(struct connection *c, enum ledger_cause cause, const char *reason)
{
	struct traffic *traffic = c->traffic;

	if (c->state != CONNECTION_OPEN)
		return;
	/* The frame that was begun has to be finished, or the Close frame would be read as its bytes. */
	if (traffic != NULL && traffic->out_head_left < traffic->out.len)
		traffic->out.len = (size_t)traffic->out_head_left;
	counters_add(&c->gateway->counters->slow_closed, 1);
	connection_close(c, cause, 1013, reason);
}

void
connection_queue_frame(struct connection *c, enum ws_opcode opcode, struct span payload)
{
	uint8_t header[FRAME_HEADER_MAX];
	size_t header_len = frame_header_write(header, opcode, true, payload.n, NULL);

	/* Both or neither: behind a header alone nothing else could be sent. */
	if (c->state == CONNECTION_OPEN && traffic_need(c->gateway, &c->traffic))
		(void)buf_reserve(&c->traffic->out, header_len + payload.n);
	connection_queue(c, span_make((const char *)header, header_len));
	connection_queue(c, payload);
}
