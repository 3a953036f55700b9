/*
 * WebSocket on a connection: receives through proto/wsrecv and answers what RFC 6455 wants answered.
 *
 * A message is handled to its end before the next one is looked at, so on_message may close the
 * connection, pause it or replace on_message itself.
 */
#include "gateway/wsock.h"

#include "base/clock.h"
#include "bus/counters.h"
#include "conf/conf.h"
#include "gateway/audience.h"
#include "gateway/context.h"
#include "gateway/outcomes.h"
#include "gateway/pending.h"
#include "gateway/presence.h"
#include "gateway/refuse.h"
#include "proto/frame.h"

enum {
	/* Before hello-ok nobody is trusted with more than this (PROTOCOL section 1). */
	WSOCK_STRANGER_MAX = 64 * 1024,
};

static struct wsrecv_limits
limits_of(const struct connection *c)
{
	const struct conf_gateway *conf = &c->gateway->conf->gateway;
	bool echo = c->on_message == wsock_echo;
	bool known = echo || c->hello != NULL;
	struct wsrecv_limits limits = {
		.max_message = conf->max_payload,
		.max_fragments = conf->max_fragments,
		.allow_binary = echo,
		.expect_masked = true,
	};

	if (!known && limits.max_message > WSOCK_STRANGER_MAX)
		limits.max_message = WSOCK_STRANGER_MAX;
	return limits;
}

static void
send_control(struct connection *c, enum ws_opcode opcode, struct span payload)
{
	uint8_t header[14];
	size_t header_len = frame_header_write(header, opcode, true, payload.n, NULL);

	connection_queue(c, span_make((const char *)header, header_len));
	connection_queue(c, payload);
}

static void
on_item(struct connection *c, enum wsrecv_verdict verdict, const struct wsrecv_item *item)
{
	switch (verdict) {
	case WSRECV_MORE:
	case WSRECV_PONG:
		break;
	case WSRECV_TEXT:
	case WSRECV_BINARY:
		c->on_message(c, item->payload, verdict == WSRECV_BINARY);
		break;
	case WSRECV_PING:
		send_control(c, WS_PONG, item->payload);
		break;
	case WSRECV_CLOSE:
		c->peer_done = true;
		connection_close(
		    c, item->code == 1005 ? 1000 : item->code, "The peer asked for it");
		break;
	case WSRECV_FAIL:
		refuse_log(c, item->reason);
		connection_close(c, item->code, item->reason);
		break;
	}
}

static size_t
on_data(struct connection *c, char *data, size_t len)
{
	const struct wsrecv_limits limits = limits_of(c);
	struct wsrecv_item item;
	size_t used = 0;
	enum wsrecv_verdict verdict = wsrecv_next(&c->recv, &limits, data, len, &used, &item);

	if (c->deadline.kind == DEADLINE_PING || c->deadline.kind == DEADLINE_PONG)
		deadline_set(c->gateway->deadlines, &c->deadline, DEADLINE_PING, clock_mono_ms());
	on_item(c, verdict, &item);
	/* A message that was gathered is given back now: the next one may be far off. */
	if (used == len && verdict != WSRECV_MORE) {
		size_t none;

		if (wsrecv_next(&c->recv, &limits, NULL, 0, &none, &item) != WSRECV_MORE)
			log_conn_warning(c->id, "the receiver found a message in no bytes");
	}
	return used;
}

/* While closing only the peer's Close frame is of interest; what cannot be read ends the wait too. */
static bool
on_goodbye(struct connection *c, char *data, size_t len)
{
	const struct wsrecv_limits limits = limits_of(c);

	while (len > 0) {
		struct wsrecv_item item;
		size_t used = 0;
		enum wsrecv_verdict verdict =
		    wsrecv_next(&c->recv, &limits, data, len, &used, &item);

		if (verdict == WSRECV_CLOSE)
			return true;
		if (verdict == WSRECV_FAIL)
			return false;
		data += used;
		len -= used;
	}
	return false;
}

static void
on_expired(struct connection *c, enum deadline_kind kind)
{
	switch (kind) {
	case DEADLINE_HANDSHAKE:
		counters_add(&c->gateway->counters->handshakes[OUTCOME_TIMEOUT], 1);
		refuse_hello(c, ERROR_INVALID_REQUEST, "hello-timeout", NULL,
		    "No hello came in time; send it as the first message");
		break;
	case DEADLINE_PING:
		send_control(c, WS_PING, SPAN("lurkbot"));
		deadline_set(c->gateway->deadlines, &c->deadline, DEADLINE_PONG, clock_mono_ms());
		break;
	case DEADLINE_PONG:
		connection_close(c, 1008, "No answer to a ping in time");
		break;
	case DEADLINE_IDLE:
	case DEADLINE_CLOSE:
	case DEADLINE_KINDS:
		break;
	}
}

static void
on_closing(struct connection *c)
{
	pending_abandon_all(c);
	presence_leave(c);
	audience_leave(c);
}

static const struct connection_handler handler = {
	.on_data = on_data,
	.on_expired = on_expired,
	.on_closing = on_closing,
	.on_goodbye = on_goodbye,
};

void
wsock_start(struct connection *c,
    void (*on_message)(struct connection *connection, struct span text, bool binary))
{
	c->handler = &handler;
	c->on_message = on_message;
	c->framed = true;
	/* The hello has a time of its own: the upgrade's is used up to here. */
	deadline_set(c->gateway->deadlines, &c->deadline, DEADLINE_HANDSHAKE, clock_mono_ms());
	if (on_message == wsock_echo)
		wsock_keep_alive(c);
}

void
wsock_keep_alive(struct connection *c)
{
	deadline_set(c->gateway->deadlines, &c->deadline, DEADLINE_PING, clock_mono_ms());
}

void
wsock_echo(struct connection *c, struct span text, bool binary)
{
	uint8_t header[14];
	enum ws_opcode opcode = binary ? WS_BINARY : WS_TEXT;
	size_t header_len = frame_header_write(header, opcode, true, text.n, NULL);

	connection_queue(c, span_make((const char *)header, header_len));
	connection_queue(c, text);
}
