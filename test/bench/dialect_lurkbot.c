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

/* connections.list tells of each its connId and, behind that, its worker. */
static void
take_place(struct client *c, struct span message)
{
	const char *end = message.p + message.n, *own = memmem(message.p, message.n, c->conn_id, 8);
	const char *worker =
	    own != NULL ? memmem(own, (size_t)(end - own), "\"worker\":", 9) : NULL;

	if (worker == NULL)
		bench_die("it does not say on which worker %s is", c->conn_id);
	c->worker = atoi(worker + 9);
}

/* {"id":"gw-…" is a request that a provider is given: it is answered at once. */
static void
serve(struct client *c, struct span message)
{
	static const struct span rest =
	    SPAN_INIT(",\"type\":\"response\",\"result\":{\"ok\":true}}");
	const char *close = memchr(message.p + 7, '"', message.n - 7);
	static struct buf text;

	if (close == NULL)
		bench_die("a request without an id: %.*s", (int)message.n, message.p);
	buf_reset(&text);
	buf_append(&text, message.p, (size_t)(close + 1 - message.p));
	buf_append_span(&text, rest);
	client_send(c, WS_TEXT, buf_span(&text));
}

/* Answers begin with {"id":"NUMBER". */
static void
take_answer(struct client *c, struct span message)
{
	static const struct span id = SPAN_INIT("{\"id\":\"");

	if (!span_has_prefix(message, id) || message.n == id.n)
		return;
	if (span_has_prefix(message, SPAN("{\"id\":\"gw-"))) {
		serve(c, message);
		return;
	}
	if (c->worker < 0 && span_has_prefix(message, SPAN("{\"id\":\"where\""))) {
		take_place(c, message);
		return;
	}
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
take_name(struct client *c, struct span message)
{
	static const char key[] = "\"connId\":\"";
	const char *name = memmem(message.p, message.n, key, sizeof(key) - 1);

	if (name != NULL && name + sizeof(key) - 1 + 8 <= message.p + message.n)
		memcpy(c->conn_id, name + sizeof(key) - 1, 8);
}

static void
take(struct client *c, struct span message)
{
	if (c->state == CLIENT_GREETING) {
		if (memmem(message.p, message.n, "\"hello-ok\"", 10) == NULL)
			bench_die("no hello-ok: %.*s", (int)message.n, message.p);
		take_name(c, message);
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

static void
call(struct client *c, uint64_t id)
{
	char text[112];
	int n = snprintf(text, sizeof(text),
	    "{\"id\":\"%" PRIu64 "\",\"type\":\"request\",\"method\":\"bench.echo\"}", id);

	client_send(c, WS_TEXT, span_make(text, (size_t)n));
}

static void
locate(struct client *c)
{
	if (c->role == ROLE_PROVIDER)
		client_send(c, WS_TEXT,
		    SPAN("{\"id\":\"0\",\"type\":\"request\",\"method\":\"provider.register\","
			 "\"params\":{\"methods\":[\"bench.echo\"],\"concurrency\":1024}}"));
	client_send(c, WS_TEXT,
	    SPAN("{\"id\":\"where\",\"type\":\"request\",\"method\":\"connections.list\","
		 "\"params\":{\"limit\":200}}"));
}

const struct dialect dialect_lurkbot = {
	.name = "lurkbot",
	.paths = { "/", "/", "/", "/" },
	.greet = greet,
	.take = take,
	.publish = publish,
	.ask = ask,
	.call = call,
	.locate = locate,
};
