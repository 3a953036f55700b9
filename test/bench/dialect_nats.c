/*
 * The client protocol of NATS over WebSocket: lines, and payloads of a length that a line has told.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dialect.h"

static const struct span connect_line = SPAN_INIT(
    "CONNECT "
    "{\"verbose\":false,\"pedantic\":false,\"echo\":true,\"lang\":\"c\",\"version\":\"1\"}\r\n");

static void
greet(struct client *c)
{
	(void)c; /* the server begins, with INFO */
}

static void
on_info(struct client *c)
{
	static struct buf text;

	if (c->state == CLIENT_READY)
		return;
	buf_reset(&text);
	buf_append_span(&text, connect_line);
	if (c->role == ROLE_SUBSCRIBER)
		buf_append_cstr(&text, "SUB b 1\r\n");
	buf_append_cstr(&text, "PING\r\n");
	client_send(c, WS_BINARY, buf_span(&text));
}

/* MSG b 1 LENGTH, then the payload. Returns the bytes of both, 0 when not all is there. */
static size_t
take_msg(struct client *c, struct span rest, size_t line_len)
{
	const char *length = memrchr(rest.p, ' ', line_len);
	size_t n = length == NULL ? 0 : strtoull(length + 1, NULL, 10);

	if (rest.n - line_len < n + 2)
		return 0;
	client_delivered(c, span_make(rest.p + line_len, n));
	return line_len + n + 2;
}

static size_t
take_one(struct client *c, struct span rest)
{
	const char *end = memchr(rest.p, '\n', rest.n);
	size_t line_len;
	struct span line;

	if (end == NULL)
		return 0;
	line_len = (size_t)(end - rest.p) + 1;
	line = span_make(rest.p, line_len);
	if (span_has_prefix(line, SPAN("MSG ")))
		return take_msg(c, rest, line_len);
	if (span_has_prefix(line, SPAN("INFO")))
		on_info(c);
	else if (span_has_prefix(line, SPAN("PING")))
		client_send(c, WS_BINARY, SPAN("PONG\r\n"));
	else if (span_has_prefix(line, SPAN("PONG")))
		client_is_ready(c);
	else if (span_has_prefix(line, SPAN("-ERR")))
		bench_die("the server says %.*s", (int)line.n, line.p);
	return line_len;
}

static void
take(struct client *c, struct span message)
{
	dialect_stream(c, message, take_one);
}

static void
publish(struct client *c, uint64_t number, struct span payload)
{
	static struct buf text;

	(void)number;
	buf_reset(&text);
	buf_printf(&text, "PUB b %zu\r\n", payload.n);
	buf_append_span(&text, payload);
	buf_append_cstr(&text, "\r\n");
	client_send(c, WS_BINARY, buf_span(&text));
}

const struct dialect dialect_nats = {
	.name = "nats",
	.paths = { "/", "/", NULL },
	.greet = greet,
	.take = take,
	.publish = publish,
};
