/*
 * The gateway's own protocol: hello, events.publish, health.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dialect.h"

/* How an event ends: {"x":"PAYLOAD"}} */
static const struct span before = SPAN_INIT("\"x\":\"");
static const struct span after = SPAN_INIT("\"}}");

static void
greet(struct client *c)
{
	char hello[256];
	int n = snprintf(hello, sizeof(hello),
	    "{\"type\":\"hello\",\"minProtocol\":1,\"maxProtocol\":1,\"client\":{\"id\":\"bench\","
	    "\"version\":\"1\",\"platform\":\"linux\",\"mode\":\"cli\"},\"subscribe\":{\"events\":%"
	    "s}}",
	    c->role == ROLE_SUBSCRIBER ? "[\"bench.*\"]" : "[]");

	client_send(c, WS_TEXT, span_make(hello, (size_t)n));
}

/* Answers begin with {"id":"NUMBER". */
static void
take_answer(struct client *c, struct span message)
{
	static const struct span id = SPAN_INIT("{\"id\":\"");

	if (!span_has_prefix(message, id) || message.n == id.n)
		return;
	client_answered(c, strtoull(message.p + id.n, NULL, 10),
	    memmem(message.p, message.n, "\"error\":", 8) == NULL);
}

static void
take_event(struct client *c, struct span message)
{
	size_t end = c->group->size + after.n;
	const char *payload;

	if (message.n <= end + before.n)
		return;
	payload = message.p + message.n - end;
	if (memcmp(payload - before.n, before.p, before.n) == 0)
		client_delivered(c, span_make(payload, c->group->size));
	else if (memmem(message.p, message.n, "\"event\":\"bench.", 15) != NULL)
		bench_die("an event that is not as published: %.*s", (int)message.n, message.p);
}

static void
take(struct client *c, struct span message)
{
	if (c->state == CLIENT_GREETING) {
		if (memmem(message.p, message.n, "\"hello-ok\"", 10) == NULL)
			bench_die("no hello-ok: %.*s", (int)message.n, message.p);
		client_is_ready(c);
	} else if (c->role == ROLE_SUBSCRIBER) {
		take_event(c, message);
	} else {
		take_answer(c, message);
	}
}

static void
publish(struct client *c, uint64_t number, struct span payload)
{
	static struct buf text;

	buf_reset(&text);
	buf_printf(&text,
	    "{\"id\":\"%" PRIu64 "\",\"type\":\"request\",\"method\":\"events.publish\","
	    "\"params\":{\"event\":\"bench.x\",\"payload\":{\"x\":\"",
	    number);
	buf_append_span(&text, payload);
	buf_append_cstr(&text, "\"}}}");
	client_send(c, WS_TEXT, buf_span(&text));
}

static void
ask(struct client *c, uint64_t id)
{
	char text[96];
	int n = snprintf(text, sizeof(text),
	    "{\"id\":\"%" PRIu64 "\",\"type\":\"request\",\"method\":\"health\"}", id);

	client_send(c, WS_TEXT, span_make(text, (size_t)n));
}

const struct dialect dialect_lurkbot = {
	.name = "lurkbot",
	.paths = { "/", "/", "/" },
	.greet = greet,
	.take = take,
	.publish = publish,
	.ask = ask,
};
