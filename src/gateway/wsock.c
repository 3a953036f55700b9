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
#include "gateway/admission.h"
#include "gateway/answer.h"
#include "gateway/authprovider.h"
#include "gateway/audience.h"
#include "gateway/catchup.h"
#include "gateway/context.h"
#include "gateway/jobs.h"
#include "gateway/message.h"
#include "gateway/outcomes.h"
#include "gateway/pending.h"
#include "gateway/presence.h"
#include "gateway/refuse.h"
#include "proto/frame.h"

/* Has said hello, or needs to say none. */
static bool
is_known(const struct connection *c)
{
	return c->hello != NULL || c->on_message == wsock_echo;
}

static struct wsrecv_limits
limits_of(const struct connection *c)
{
	const struct conf_gateway *conf = &c->gateway->conf->gateway;
	struct wsrecv_limits limits = {
		.max_message = conf->max_payload,
		.max_fragments = conf->max_fragments,
		.allow_binary = c->on_message == wsock_echo,
		.allow_compressed = c->deflate,
		.expect_masked = true,
	};

	/* Before hello-ok nobody is trusted with more (PROTOCOL section 1). */
	if (!is_known(c) && limits.max_message > conf->max_hello_bytes)
		limits.max_message = conf->max_hello_bytes;
	return limits;
}

/* Most clients compress their hello, too: what it inflates to is bounded as if it had come plain. */
static void
take_message(struct connection *c, const struct wsrecv_item *item, bool binary)
{
	struct span payload = item->payload;

	c->messages++;
	if (!item->is_compressed ||
	    message_inflate(c, binary, (size_t)limits_of(c).max_message, &payload))
		c->on_message(c, payload, binary);
}

/* RFC 6455 section 5.5.3: of many pings not each has to be answered. */
static void
answer_ping(struct connection *c, struct span payload)
{
	if (limits_take(&c->pings, c->gateway->conf->gateway.max_pings_per_s, 1, clock_mono_ns()) ==
	    0)
		connection_queue_frame(c, WS_PONG, payload);
	else
		limits_count(c->gateway, LIMIT_PINGS);
}

static enum ledger_cause
cause_of_failure(const struct connection *c, uint16_t code)
{
	if (code != WS_CLOSE_TOO_BIG)
		return LEDGER_PROTOCOL_ERROR;
	return is_known(c) ? LEDGER_TOO_BIG : LEDGER_HELLO_TOO_BIG;
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
		take_message(c, item, verdict == WSRECV_BINARY);
		break;
	case WSRECV_PING:
		answer_ping(c, item->payload);
		break;
	case WSRECV_CLOSE:
		c->peer_done = true;
		connection_close(c, LEDGER_CLIENT, item->code == 1005 ? 1000 : item->code,
		    "The peer asked for it");
		break;
	case WSRECV_FAIL:
		refuse_log(c, item->reason);
		if (!is_known(c)) {
			outcome_settle(c, OUTCOME_BAD_HELLO);
			if (item->code == WS_CLOSE_TOO_BIG)
				limits_count(c->gateway, LIMIT_HELLO);
		}
		c->deaf = true;
		connection_close(c, cause_of_failure(c, item->code), item->code, item->reason);
		break;
	}
}

/*
 * Whether a stranger has sent more than one message of the length that it may have: pings count, too. Then
 * the connection is closed.
 */
static bool
is_too_long(struct connection *c, size_t used)
{
	static const char why[] = "More came than may before the hello.";

	c->opening_bytes += (uint32_t)used;
	if (c->opening_bytes <= c->gateway->conf->gateway.max_hello_bytes + FRAME_HEADER_MAX)
		return false;
	limits_count(c->gateway, LIMIT_HELLO);
	refuse_log(c, why);
	outcome_settle(c, OUTCOME_BAD_HELLO);
	c->deaf = true;
	connection_close(c, LEDGER_HELLO_TOO_BIG, WS_CLOSE_TOO_BIG, why);
	return true;
}

/* Whole messages show that the peer lives; one that was begun has until its deadline to end. */
static void
watch_peer(struct connection *c, uint64_t now_ms)
{
	struct deadline *deadline = &c->deadline;
	enum deadline_kind kind = deadline->kind;

	if (c->state != CONNECTION_OPEN ||
	    (kind != DEADLINE_PING && kind != DEADLINE_PONG && kind != DEADLINE_MESSAGE))
		return;
	if (c->traffic == NULL || wsrecv_is_idle(&c->traffic->recv))
		deadline_set(c->gateway->deadlines, deadline, DEADLINE_PING, now_ms);
	else if (kind != DEADLINE_MESSAGE)
		deadline_set(c->gateway->deadlines, deadline, DEADLINE_MESSAGE, now_ms);
}

static size_t
on_data(struct connection *c, char *data, size_t len)
{
	const struct wsrecv_limits limits = limits_of(c);
	struct wsrecv_item item;
	size_t used = 0;
	enum wsrecv_verdict verdict =
	    wsrecv_next(&c->traffic->recv, &limits, data, len, &used, &item);

	if (!is_known(c) && verdict != WSRECV_FAIL && is_too_long(c, used))
		return used;
	on_item(c, verdict, &item);
	watch_peer(c, clock_mono_ms());
	/* A message that was gathered is given back now: the next one may be far off. */
	if (used == len && verdict != WSRECV_MORE) {
		size_t none;

		if (wsrecv_next(&c->traffic->recv, &limits, NULL, 0, &none, &item) != WSRECV_MORE)
			log_conn_warning(c->id, "the receiver found a message in no bytes");
	}
	return used;
}

/*
 * While closing only the peer's Close frame is of interest.  Where it cannot be recognised any more, our side is
 * shut down, and the end of its side is what is waited for.
 */
static bool
on_goodbye(struct connection *c, char *data, size_t len)
{
	const struct wsrecv_limits limits = limits_of(c);

	while (len > 0 && !c->deaf) {
		struct wsrecv_item item;
		size_t used = 0;
		enum wsrecv_verdict verdict =
		    wsrecv_next(&c->traffic->recv, &limits, data, len, &used, &item);

		if (verdict == WSRECV_CLOSE)
			return true;
		if (verdict == WSRECV_FAIL) {
			c->deaf = true;
			return false;
		}
		data += used;
		len -= used;
	}
	return false;
}

/* Where it is us who do not read, the peer is not at fault. */
static void
on_unfinished(struct connection *c)
{
	if (c->blocked || c->paused || c->behind) {
		wsock_keep_alive(c);
		return;
	}
	limits_count(c->gateway, LIMIT_MESSAGE_TIME);
	refuse_log(c, "a message that it began did not end in time");
	connection_close(
	    c, LEDGER_MESSAGE_TIMEOUT, 1008, "A message that was begun did not end in time");
}

static void
on_expired(struct connection *c, enum deadline_kind kind)
{
	switch (kind) {
	case DEADLINE_HANDSHAKE:
		outcome_settle(c, OUTCOME_TIMEOUT);
		refuse_hello(c, ERROR_INVALID_REQUEST, "hello-timeout", NULL,
		    "No hello came in time; send it as the first message");
		break;
	case DEADLINE_PING:
		/* Where nothing is read, no pong would be seen. */
		if (!c->blocked)
			connection_queue_frame(c, WS_PING, SPAN("lurkbot"));
		if (c->state == CONNECTION_OPEN)
			deadline_set(
			    c->gateway->deadlines, &c->deadline, DEADLINE_PONG, clock_mono_ms());
		break;
	case DEADLINE_PONG:
		if (c->blocked || !list_is_empty(&c->lag))
			connection_close_slow(
			    c, LEDGER_UNREAD, "Too slow: nothing was taken in time");
		else
			connection_close(
			    c, LEDGER_PONG_TIMEOUT, 1008, "No answer to a ping in time");
		break;
	case DEADLINE_MESSAGE:
		on_unfinished(c);
		break;
	case DEADLINE_IDLE:
	case DEADLINE_CLOSE:
	case DEADLINE_KINDS:
		break;
	}
}

static void
on_drained(struct connection *c)
{
	catchup_on_drained(c);
}

static void
on_closing(struct connection *c)
{
	if (!is_known(c))
		outcome_settle(c, OUTCOME_LEFT);
	pending_abandon_all(c);
	authprovider_leave(c);
	jobs_leave(c);
	presence_leave(c);
	catchup_leave(c);
	audience_leave(c);
	admission_leave(c);
}

static const struct connection_handler handler = {
	.on_data = on_data,
	.on_expired = on_expired,
	.on_closing = on_closing,
	.on_drained = on_drained,
	.on_goodbye = on_goodbye,
};

void
wsock_start(struct connection *c,
    void (*on_message)(struct connection *connection, struct span text, bool binary))
{
	c->handler = &handler;
	c->on_message = on_message;
	c->answers = &answer_frames;
	c->framed = true;
	/* What of HTTP is still unsent stands in front of the first frame, and is not one. */
	if (c->traffic != NULL)
		c->traffic->out_head_left = c->traffic->out.len;
	/* Head and hello have one time together; one between two requests has none that would go on. */
	if (c->deadline.kind != DEADLINE_HANDSHAKE)
		deadline_set(
		    c->gateway->deadlines, &c->deadline, DEADLINE_HANDSHAKE, clock_mono_ms());
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
	message_queue(c, binary ? WS_BINARY : WS_TEXT, text);
}
