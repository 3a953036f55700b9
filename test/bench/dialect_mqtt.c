/*
 * MQTT 3.1.1 over WebSocket, with quality of service 0, as Mosquitto speaks it (OASIS mqtt-v3.1.1,
 * sections 3.1 to 3.9 and 6). The packets used are short enough for a length of one byte, but PUBLISH.
 *
 *	| type, flags | remaining length, 7 bits a byte, least first | variable header | payload |
 */
#include <string.h>

#include "dialect.h"

enum packet { CONNACK = 2, PUBLISH = 3, SUBACK = 9, LENGTH_BYTES_MAX = 4 };

/* Protocol level 4, a clean session, no keep-alive, no client identifier: the server makes one. */
static const struct span connect_packet = SPAN_INIT("\x10\x0c\0\4MQTT\4\2\0\0\0\0");
/* Packet 1: topic b at quality 0. */
static const struct span subscribe_packet = SPAN_INIT("\x82\x06\0\1\0\1b\0");
static const struct span topic = SPAN_INIT("\0\1b");

static void
greet(struct client *c)
{
	client_send(c, WS_BINARY, connect_packet);
}

static void
take_packet(struct client *c, uint8_t first, struct span body)
{
	switch (first >> 4) {
	case CONNACK:
		if (body.n != 2 || body.p[1] != 0)
			bench_die("the server refuses the MQTT connection");
		if (c->role == ROLE_SUBSCRIBER)
			client_send(c, WS_BINARY, subscribe_packet);
		else
			client_is_ready(c);
		break;
	case SUBACK:
		client_is_ready(c);
		break;
	case PUBLISH:
		if (!span_has_prefix(body, topic))
			bench_die("an MQTT message of another topic");
		client_delivered(c, span_skip(body, topic.n));
		break;
	default:
		break;
	}
}

static size_t
take_one(struct client *c, struct span rest)
{
	size_t length = 0, at = 1;

	do {
		if (at > LENGTH_BYTES_MAX)
			bench_die("an MQTT packet of impossible length");
		if (at >= rest.n)
			return 0;
		length |= ((size_t)rest.p[at] & 0x7f) << 7 * (at - 1);
	} while (((uint8_t)rest.p[at++] & 0x80) != 0);
	if (length > rest.n - at)
		return 0;
	take_packet(c, (uint8_t)rest.p[0], span_make(rest.p + at, length));
	return at + length;
}

static void
take(struct client *c, struct span message)
{
	dialect_stream(c, message, take_one);
}

static void
publish(struct client *c, uint64_t number, struct span payload)
{
	static struct buf packet;
	size_t length = topic.n + payload.n;

	(void)number;
	buf_reset(&packet);
	buf_append_byte(&packet, PUBLISH << 4);
	for (; length > 0x7f; length >>= 7)
		buf_append_byte(&packet, (char)(length | 0x80));
	buf_append_byte(&packet, (char)length);
	buf_append_span(&packet, topic);
	buf_append_span(&packet, payload);
	client_send(c, WS_BINARY, buf_span(&packet));
}

const struct dialect dialect_mqtt = {
	.name = "mqtt",
	.paths = { "/mqtt", "/mqtt", NULL },
	.protocol = "mqtt",
	.greet = greet,
	.take = take,
	.publish = publish,
};
