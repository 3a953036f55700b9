/*
 * The dialects by name, and the two in which a message is the payload and nothing else: that of the bare
 * loops, and that of nchan, whose publisher is told about each message in words.
 */
#include <string.h>

#include "dialect.h"

static const struct dialect *const dialects[] = { &dialect_lurkbot, &dialect_bare, &dialect_nchan,
	&dialect_mqtt, &dialect_nats };

const struct dialect *
dialect_find(const char *name)
{
	for (size_t i = 0; i < sizeof(dialects) / sizeof(dialects[0]); i++)
		if (strcmp(dialects[i]->name, name) == 0)
			return dialects[i];
	return NULL;
}

void
dialect_stream(struct client *c, struct span message, size_t (*one)(struct client *, struct span))
{
	struct span rest = message;
	bool is_kept = c->stream.len > 0;
	size_t used = 1;

	if (is_kept) {
		buf_append_span(&c->stream, message);
		rest = buf_span(&c->stream);
	}
	while (rest.n > 0 && used > 0) {
		used = one(c, rest);
		rest = span_skip(rest, used);
	}
	if (is_kept)
		buf_consume(&c->stream, c->stream.len - rest.n);
	else
		buf_append_span(&c->stream, rest);
	if (buf_status(&c->stream) != 0)
		bench_die("out of memory");
}

static void
publish_payload(struct client *c, uint64_t number, struct span payload)
{
	(void)number;
	client_send(c, WS_TEXT, payload);
}

static void
take_payload(struct client *c, struct span message)
{
	if (c->role == ROLE_SUBSCRIBER)
		client_delivered(c, message);
	else if (c->role == ROLE_PUBLISHER)
		client_answered(c, 0, true);
	else
		dialect_lurkbot.take(c, message);
}

/* An echo is asked what a gateway would be asked, and gives that back. */
static void
ask_echo(struct client *c, uint64_t id)
{
	dialect_lurkbot.ask(c, id);
}

const struct dialect dialect_bare = {
	.name = "bare",
	.paths = { "/sub", "/pub", "/echo" },
	.greet = client_is_ready,
	.take = take_payload,
	.publish = publish_payload,
	.ask = ask_echo,
};

const struct dialect dialect_nchan = {
	.name = "nchan",
	.paths = { "/sub", "/pub", NULL },
	.greet = client_is_ready,
	.take = take_payload,
	.publish = publish_payload,
};
