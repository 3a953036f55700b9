/*
 * What the tests of the gateway without memory do and want, on the stage of support_gateway.h: whatever
 * fails, each request gets its answer, or an error that says why, or the connection ends with 1011
 * between two frames; and no client that stays loses an event without being told.
 */
#pragma once

#include "support_gateway.h"

#include "base/log.h"
#include "bus/ring_view.h"
#include "support_alloc.h"

enum {
	ALICE,
	BOB,
	SLOW,
	EVE,
	PATIENCE_S = 120, /* a conversation that never ends is ended by SIGALRM */
	LINGER_MS = 3000,
	TALK_SETTINGS_MAX = 128,
};

/* A filter that takes all events. */
#define EVERYTHING "\"subscribe\":{\"events\":[\"*\",\"gateway.*\"]}}"

static const char upgrade_one[] =
    "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConn";
static const char upgrade_two[] = "ection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
				  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

static struct {
	bool is_strict;	 /* nothing fails, so all has to go right */
	unsigned spared; /* steps that did not, since memory was refused */
} talk;

/* Something did not go right; that is only allowed where memory was refused. */
static inline bool
spare(bool is_allowed, const char *what)
{
	if (talk.is_strict || !is_allowed)
		fail_msg("%s", what);
	talk.spared++;
	return false;
}

/* --- steps: each returns whether it went right ------------------------------------------------ */

static inline bool
is_there(unsigned i)
{
	return stage_client(i)->fd >= 0 && stage_client(i)->upgraded && !stage_client(i)->ended &&
	       stage_client(i)->code == 0;
}

/* A worker that ends a WebSocket says why, between two frames. */
static inline bool
is_ended_well(unsigned i)
{
	const struct stage_client *c = stage_client(i);

	return c->at == c->heard && c->code == 1011;
}

static inline bool
upgrade(unsigned i, unsigned worker, bool is_slow)
{
	struct stage_client *c = stage_client(i);
	const char *end;

	stage_connect(i, worker, is_slow);
	stage_say(i, upgrade_one);
	stage_run(0);
	stage_say(i, upgrade_two);
	stage_run(0);
	end = memmem(c->bytes, c->heard, "\r\n\r\n", 4);
	if (end == NULL || !stage_has(span_make(c->bytes, c->heard), " 101 "))
		return spare(c->ended, "an upgrade was not answered");
	c->at = (size_t)(end + 4 - c->bytes);
	c->upgraded = true;
	return true;
}

/* In two fragments, so that it has to be put together. */
static inline bool
say_hello(unsigned i, const char *more)
{
	static const char begin[] =
	    "{\"type\":\"hello\",\"minProtocol\":1,\"maxProtocol\":1,\"client\":{\"id\":"
	    "\"c\\u0031\","
	    "\"version\":\"1\",\"platform\":\"p\",\"mode\":\"cli\",\"displayName\":\"n\"},";
	struct stage_client *c = stage_client(i);
	struct span answer;

	stage_say_frame(i, WS_TEXT, false, begin, strlen(begin));
	stage_run(0);
	stage_say_frame(i, WS_CONT, true, more, strlen(more));
	stage_run(0);
	/* What comes behind it in the same turn is counted from its position on. */
	answer = stage_find(i, "\"type\":\"hello-ok\"");
	if (answer.n > 0)
		c->seq = stage_number(
		    span_make(answer.p, (size_t)(c->bytes + c->heard - answer.p)), "seq");
	if (stage_has(span_make(c->bytes, c->heard), "\"recovered\":true"))
		c->seq = stage_number(span_cstr(more), "seq");
	stage_take(i);
	if (answer.n > 0 && is_there(i))
		return true;
	if (c->code == 1008)
		return spare(stage_find(i, "out-of-memory").n > 0, "a hello was refused");
	return spare(is_ended_well(i), "a hello was not answered");
}

static inline bool
enter(unsigned i, unsigned worker, bool is_slow, const char *hello)
{
	return upgrade(i, worker, is_slow) && say_hello(i, hello);
}

static inline bool
is_answered(unsigned i, const char *id, const char *right)
{
	char head[64];
	struct span answer;

	stage_take(i);
	snprintf(head, sizeof(head), "{\"id\":\"%s\",\"type\":\"response\"", id);
	answer = stage_find(i, head);
	if (answer.n > 0 && stage_has(answer, right))
		return true;
	if (answer.n > 0)
		return spare(
		    stage_has(answer, "out-of-memory") || stage_has(answer, "worker-busy"), head);
	return spare(is_ended_well(i), head);
}

/* Sends a request and wants an answer with `right` in it. */
static inline bool
ask(unsigned i, const char *id, const char *method, const char *params, const char *right)
{
	char text[4096];

	if (!is_there(i))
		return spare(true, id);
	snprintf(text, sizeof(text),
	    "{\"id\":\"%s\",\"type\":\"request\",\"method\":\"%s\",\"params\":%s}", id, method,
	    params);
	stage_say_text(i, text);
	stage_run(0);
	/* A worker that could not tell its part is waited for; that time only passes. */
	stage.ahead_ms = 1500;
	stage_run(0);
	stage.ahead_ms = 0;
	return is_answered(i, id, right);
}

/* Who is told that it did not go has published nothing. */
static inline bool
ask_to_publish(unsigned i, const char *id, const char *params)
{
	uint64_t before = ring_head(stage.bus->ring);
	bool went = ask(i, id, "events.publish", params, "\"seq\":");

	if (!went && is_there(i))
		assert_int_equal(ring_head(stage.bus->ring), before);
	return went;
}

/* Nobody who is still there has missed anything. */
static inline void
all_is_heard(unsigned deaf)
{
	stage_run(deaf);
	for (unsigned i = 0; i < STAGE_CLIENTS; i++) {
		struct stage_client *c = stage_client(i);

		if (c->fd < 0 || !c->upgraded || (deaf & 1U << i) != 0)
			continue;
		stage_take(i);
		assert_int_equal(c->skipped, 0);
		if (!is_there(i) || stage_find(i, "hello-ok").n == 0)
			continue;
		assert_int_equal(c->at, c->heard);
		assert_int_equal(c->seq, ring_head(stage.bus->ring));
	}
}

/* The buffer in which workers put their answers together has room for so many bytes. */
static inline void
give_room(size_t room)
{
	for (unsigned i = 0; i < STAGE_GATEWAYS; i++) {
		struct buf *text = &stage.gateways[i].text;

		buf_fini(text);
		*text = (struct buf){ .data = room > 0 ? mem_alloc(room) : NULL, .cap = room };
	}
}

/* --- before and after ------------------------------------------------------------------------- */

/* All clients go; nothing of them stays. */
static inline void
all_leave(void)
{
	for (unsigned i = 0; i < STAGE_CLIENTS; i++)
		stage_hang_up(i);
	stage.ahead_ms = LINGER_MS;
	stage_run(0);
	stage.ahead_ms = 0;
	for (unsigned i = 0; i < STAGE_GATEWAYS; i++) {
		struct gateway *g = &stage.gateways[i];

		assert_true(list_is_empty(&g->connections));
		assert_true(list_is_empty(&g->graveyard));
		assert_true(list_is_empty(&g->pendings));
		assert_true(list_is_empty(audiences_list(g->audiences)));
		assert_false(publisher_is_waiting(g->publisher));
		assert_int_equal(g->refused, 0);
		assert_int_equal(stuck_frames_bytes(g->stuck), 0);
		assert_int_equal(directory_count(g->directory, g->slot), 0);
		assert_int_equal(counters_get(&g->counters->connections), 0);
		assert_int_equal(counters_get(&g->counters->websockets), 0);
		assert_int_equal(counters_get(&g->counters->catching_up), 0);
		assert_int_equal(counters_get(&g->counters->admin_subscribers), 0);
	}
}

static inline bool
workers_start(void)
{
	bool first = stage_gateway_init(&stage.gateways[0], 0);

	return stage_gateway_init(&stage.gateways[1], 1) && first;
}

/* What config.get tells of, beside numbers. */
static inline void
talk_set_texts(void)
{
	static char text[] = "stage", *sources[TALK_SETTINGS_MAX];

	assert_true(settings_count() <= TALK_SETTINGS_MAX);
	for (unsigned i = 0; i < TALK_SETTINGS_MAX; i++)
		sources[i] = text;
	stage.conf.sources = sources;
	stage.conf.home = text;
	stage.conf.gateway.host = text;
	stage.conf.gateway.log_file = text;
}

static inline int
talk_set_up(void **state)
{
	void *bus;

	(void)state;
	if (bus_setup(&bus) != 0)
		return -1;
	stage.bus = bus;
	stage.conf.gateway = (struct conf_gateway){
		.max_connections = 100,
		.max_payload = 16000,
		.max_buffered_bytes = 1 << 20,
		.max_in_flight = 64,
		.max_header_bytes = 16384,
		.max_header_lines = 100,
		.max_hello_bytes = 65536,
		.max_fragments = 16,
		.slow_consumer_timeout_ms = 600000,
		.stuck_bytes = 1 << 20,
		.position_interval_ms = 600000,
	};
	talk_set_texts();
	for (unsigned i = 0; i < STAGE_CLIENTS; i++)
		stage.clients[i].fd = -1;
	roster_set_gateway(segment_roster(stage.bus->segment), getpid(), clock_real_ms(), 2);
	log_configure(
	    &(struct log_setup){ .level = LOG_LEVEL_ERROR, .file_fd = -1, .stderr_fd = -1 });
	alarm(PATIENCE_S);
	return 0;
}

static inline int
talk_tear_down(void **state)
{
	void *bus = stage.bus;

	(void)state;
	return bus_teardown(&bus);
}
