/*
 * Two workers and their clients in conversation, with the n-th allocation failing, for every n, those
 * of libevent included. Whatever fails, each request gets its answer, or an error that says why, or
 * the connection ends with 1011 between two frames; no client that stays loses an event without being
 * told; and afterwards nothing is left of it: the same conversation goes through, on the same
 * workers, and their counts are what they were.
 */
#include "support_gateway.h"

#include "base/log.h"
#include "bus/ring_view.h"
#include "gateway/methods.h"
#include "support_alloc.h"
#include "sys/process.h"

enum {
	ALICE,
	BOB,
	SLOW,
	EVE,
	PATIENCE_S = 120, /* a conversation that never ends is ended by SIGALRM */
	LINGER_MS = 3000,
	STEP = 3, /* bytes between two lengths at which an answer breaks off */
};

static const char upgrade_one[] = "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConn";
static const char upgrade_two[] = "ection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
				  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

static struct {
	bool is_strict;	 /* nothing fails, so all has to go right */
	unsigned spared; /* steps that did not, since memory was refused */
} talk;

/* Something did not go right; that is only allowed where memory was refused. */
static bool
spare(bool is_allowed, const char *what)
{
	if (talk.is_strict || !is_allowed)
		fail_msg("%s", what);
	talk.spared++;
	return false;
}

/* --- steps: each returns whether it went right ------------------------------------------------ */

static bool
is_there(unsigned i)
{
	return stage_client(i)->fd >= 0 && stage_client(i)->upgraded && !stage_client(i)->ended &&
	       stage_client(i)->code == 0;
}

/* A worker that ends a WebSocket says why, between two frames. */
static bool
is_ended_well(unsigned i)
{
	const struct stage_client *c = stage_client(i);

	return c->at == c->heard && c->code == 1011;
}

static bool
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
static bool
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

static bool
enter(unsigned i, unsigned worker, bool is_slow, const char *hello)
{
	return upgrade(i, worker, is_slow) && say_hello(i, hello);
}

static bool
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
static bool
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

/* Nobody who is still there has missed anything. */
static void
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

/* --- conversations ---------------------------------------------------------------------------- */

#define EVERYTHING "\"subscribe\":{\"events\":[\"*\",\"gateway.*\"]}}"

static void
talk_requests(void)
{
	enter(ALICE, 0, false, EVERYTHING);
	enter(BOB, 1, false, EVERYTHING);
	ask(ALICE, "r1", "health", "{}", "\"workers\":2");
	ask(ALICE, "r2", "status", "{}", "\"ring\"");
	ask(ALICE, "r3", "methods.list", "{}", "sessions.list");
	ask(BOB, "r4", "events.publish",
	    "{\"event\":\"session.m\\u0065ssage\",\"sessionKey\":\"a:b:\\u0063\","
	    "\"payload\":{\"role\":\"us\\u0065r\",\"content\":\"w\\u006frd\"}}",
	    "\"seq\":");
	if (is_there(ALICE) && stage_find(BOB, "{\"id\":\"evt_").n > 0)
		ask(ALICE, "r5", "sessions.list", "{\"search\":\"w\\u006frd\"}",
		    "\"preview\":\"word\"");
	ask(ALICE, "r6", "events.history", "{\"limit\":5,\"events\":[\"session.*\"]}",
	    "\"oldestSeq\"");
	ask(ALICE, "r7", "connections.list", "{}", "\"worker\":0");
	ask(ALICE, "r8", "nope", "{}", "METHOD_NOT_FOUND");
	ask(ALICE, "r9", "events.subscribe", "{\"events\":[\"*\",\"gateway.*\",\"x.\\u0079\"]}",
	    "x.y");
	ask(ALICE, "ra", "events.publish", "{\"event\":1}", "INVALID_REQUEST");
	ask(ALICE, "rb", "connections.list", "{\"limit\":0}", "INVALID_REQUEST");
	ask(ALICE, "rc", "connections.close", "{\"connId\":\"zzzzzzz\\u007a\"}", "INVALID_REQUEST");
	all_is_heard(0);
}

/* A publication of 1500 bytes whose answer nobody waits for. */
static void
publish(unsigned i, unsigned deaf)
{
	char text[2048];

	if (!is_there(i))
		return;
	snprintf(text, sizeof(text),
	    "{\"id\":\"s\",\"type\":\"request\",\"method\":\"events.publish\",\"params\":"
	    "{\"event\":\"load.x\",\"payload\":{\"text\":\"%01500d\"}}}",
	    0);
	stage_say_text(i, text);
	stage_run(deaf);
}

static uint64_t
catching_up(void)
{
	return counters_get(&stage.gateways[0].counters->catching_up);
}

/* One reads nothing for a while: it holds a frame that was sent in part, and then catches up. */
static void
talk_slow(void)
{
	enter(BOB, 1, false, EVERYTHING);
	enter(SLOW, 0, true, EVERYTHING);
	for (unsigned n = 0; n < 12; n++)
		publish(BOB, 1U << SLOW);
	assert_true(!talk.is_strict || catching_up() == 1);
	all_is_heard(0);
	assert_int_equal(catching_up(), 0);
	publish(BOB, 0);
	all_is_heard(0);
}

/* The ring has gone round meanwhile. */
static void
talk_lapped(void)
{
	enter(BOB, 1, false, EVERYTHING);
	enter(SLOW, 0, true, EVERYTHING);
	for (unsigned n = 0; n < 60; n++)
		publish(BOB, 1U << SLOW);
	all_is_heard(0);
	assert_true(!talk.is_strict || stage_find(SLOW, "gateway.gap").n > 0);
	assert_int_equal(catching_up(), 0);
}

static void
talk_resume(void)
{
	char hello[256];
	uint64_t seq;

	enter(BOB, 1, false, EVERYTHING);
	for (unsigned n = 0; n < 3; n++)
		publish(BOB, 0);
	seq = ring_head(stage.bus->ring);
	snprintf(hello, sizeof(hello),
	    "\"resume\":{\"epoch\":\"%s\",\"seq\":%llu},\"subscribe\":{\"events\":[\"*\",\"gateway."
	    "*\"]}}",
	    ring_epoch(stage.bus->ring), (unsigned long long)(seq - 2));
	enter(EVE, 0, false, hello);
	all_is_heard(0);
	stage_hang_up(EVE);
	/* Once more with a filter that leaves some out. */
	snprintf(hello, sizeof(hello),
	    "\"resume\":{\"epoch\":\"%s\",\"seq\":%llu},\"subscribe\":{\"events\":[\"none.*\"]}}",
	    ring_epoch(stage.bus->ring), (unsigned long long)(seq - 2));
	if (enter(EVE, 0, false, hello))
		ask(EVE, "q1", "events.subscribe", "{\"sessionKeys\":[\"k\"]}", "\"k\"");
	stage_hang_up(EVE);
	all_is_heard(0);
}

/* What is published while the ring's lock is held by somebody waits, and is answered later. */
static void
talk_busy(void)
{
	struct shlock *lock = &stage.bus->ring->parts.shared->lock;

	enter(ALICE, 0, false, EVERYTHING);
	if (!is_there(ALICE))
		return;
	assert_int_equal(shlock_take(lock, NULL), 0);
	stage_say_text(ALICE,
	    "{\"id\":\"w1\",\"type\":\"request\",\"method\":\"events.publish\",\"params\":"
	    "{\"event\":\"load.w\"}}");
	for (unsigned n = 0; n < 3; n++) {
		event_base_loop(stage.gateways[0].base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		connections_flush(&stage.gateways[0]);
	}
	shlock_give(lock);
	stage_run(0);
	is_answered(ALICE, "w1", "\"seq\":");
	all_is_heard(0);
}

static void
get(const char *path, const char *right)
{
	struct stage_client *c = stage_client(EVE);
	char head[256];

	stage_connect(EVE, 1, false);
	snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: x\r\n", path);
	stage_say(EVE, head);
	stage_run(0);
	stage_say(EVE, "Accept: application/openmetrics-text\r\n\r\n");
	stage_run(0);
	if (stage_find(EVE, right).n == 0)
		spare(c->ended && c->heard == 0, path);
	stage_hang_up(EVE);
	stage_run(0);
}

static void
talk_http(void)
{
	enter(ALICE, 0, false, EVERYTHING);
	get("/", "protocol_version");
	get("/health", "healthy");
	get("/live", "alive");
	get("/ready", "accepting");
	get("/metrics", "# EOF");
	get("/nope", " 404 ");
	get("/ws", " 426 ");
	get("/ HTTP/9", "INVALID_REQUEST");
	if (upgrade(BOB, 1, false)) {
		stage_say_text(BOB, "no hello");
		stage_run(0);
		stage_take(BOB);
		if (stage_client(BOB)->code != 1008)
			/* Also for the Close frame itself there may be no memory. */
			spare(is_ended_well(BOB) ||
				  (stage_client(BOB)->ended &&
				      stage_client(BOB)->at == stage_client(BOB)->heard),
			    "what is no hello was not refused");
	}
	all_is_heard(0);
}

/* --- letting each allocation fail ------------------------------------------------------------- */

static unsigned
open_descriptors(void)
{
	uint64_t n = 0;

	assert_true(process_open_fds(getpid(), &n) == 0);
	return (unsigned)n;
}

/* All clients go; nothing of them stays. */
static void
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

static bool
workers_start(void)
{
	bool first = stage_gateway_init(&stage.gateways[0], 0);

	return stage_gateway_init(&stage.gateways[1], 1) && first;
}

/* One conversation with allocation n failing, and the same with the same workers as if nothing were. */
static bool
try_without(unsigned n, void (*conversation)(void))
{
	bool was_met, started;
	unsigned before;

	support_alloc_fail_at(n);
	talk.is_strict = false;
	started = workers_start();
	before = open_descriptors();
	if (started) {
		conversation();
		all_leave();
	}
	was_met = support_alloc_count() >= n;
	support_alloc_fail_at(0);
	if (started) {
		assert_int_equal(open_descriptors(), before);
		talk.is_strict = true;
		conversation();
		all_leave();
		assert_int_equal(open_descriptors(), before);
	}
	for (unsigned i = 0; i < STAGE_GATEWAYS; i++)
		stage_gateway_fini(&stage.gateways[i]);
	return was_met;
}

static void
walk(const char *name, void (*conversation)(void))
{
	unsigned n = 1;

	talk.spared = 0;
	while (try_without(n, conversation))
		n++;
	print_message("%s: %u failures, %u steps did not go right\n", name, n - 1, talk.spared);
	assert_true(n > 20);
}

/* --- breaking answers off at each byte -------------------------------------------------------- */

/* The buffer in which workers put their answers together has room for so many bytes. */
static void
give_room(size_t room)
{
	for (unsigned i = 0; i < STAGE_GATEWAYS; i++) {
		struct buf *text = &stage.gateways[i].text;

		buf_fini(text);
		*text = (struct buf){ .data = room > 0 ? mem_alloc(room) : NULL, .cap = room };
	}
}

/* How many bytes are heard; allocation n fails from the moment on at which an answer is put together. */
static size_t
ask_with_room(size_t room, const char *method, unsigned n)
{
	bool is_listing = strcmp(method, "connections.list") == 0;
	char text[256];

	if (!is_there(ALICE)) {
		stage_hang_up(ALICE);
		assert_true(enter(ALICE, 0, false, EVERYTHING));
	}
	stage_client(ALICE)->heard = stage_client(ALICE)->at = 0;
	snprintf(
	    text, sizeof(text), "{\"id\":\"b\",\"type\":\"request\",\"method\":\"%s\"}", method);
	stage_say_text(ALICE, text);
	/* The question to the other worker takes memory of its own. */
	for (unsigned i = 0; is_listing && i < 2; i++)
		event_base_loop(stage.gateways[0].base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	give_room(room);
	support_alloc_fail_at(n);
	stage_run(0);
	support_alloc_fail_at(0);
	stage.ahead_ms = 1500;
	stage_run(0);
	stage.ahead_ms = 0;
	is_answered(ALICE, "b", "{");
	talk.spared += stage_find(ALICE, "out-of-memory").n > 0;
	return stage_client(ALICE)->heard;
}

static void
break_off_method(const char *method, unsigned allocations)
{
	size_t whole = ask_with_room(0, method, 0);

	for (size_t room = 0; room < whole; room += STEP)
		for (unsigned n = 1; n <= allocations; n++)
			ask_with_room(room, method, n);
}

static size_t
get_with_room(size_t room, const char *path, unsigned n)
{
	size_t heard;

	stage_connect(EVE, 1, false);
	give_room(room);
	stage_say(EVE, "GET ");
	stage_say(EVE, path);
	stage_say(EVE, " HTTP/1.1\r\nHost: x\r\nAccept: application/openmetrics-text\r\n\r\n");
	support_alloc_fail_at(n);
	stage_run(0);
	support_alloc_fail_at(0);
	heard = stage_client(EVE)->heard;
	/* All of it or nothing, and then the end. */
	assert_true(heard > 0 || stage_client(EVE)->ended);
	talk.spared += heard == 0;
	stage_hang_up(EVE);
	stage_run(0);
	return heard;
}

static void
break_off_endpoint(const char *path)
{
	size_t whole = get_with_room(0, path, 0);

	for (size_t room = 0; room < whole; room += STEP)
		get_with_room(room, path, 1);
}

static size_t
hello_with_room(size_t room, unsigned n)
{
	size_t heard;

	assert_true(upgrade(EVE, 1, false));
	stage_client(EVE)->heard = stage_client(EVE)->at = 0;
	give_room(room);
	stage_say_text(EVE,
	    "{\"type\":\"hello\",\"minProtocol\":1,\"maxProtocol\":1,\"client\":{\"id\":\"c\","
	    "\"version\":\"1\",\"platform\":\"p\",\"mode\":\"cli\"}}");
	support_alloc_fail_at(n);
	stage_run(0);
	support_alloc_fail_at(0);
	heard = stage_client(EVE)->heard;
	stage_take(EVE);
	assert_true(stage_find(EVE, "hello-ok").n > 0 || stage_find(EVE, "out-of-memory").n > 0 ||
		    is_ended_well(EVE));
	talk.spared += stage_find(EVE, "out-of-memory").n > 0;
	stage_hang_up(EVE);
	stage_run(0);
	return heard;
}

/* The hello itself is the first allocation, its filter the second. */
static void
break_off_hello(void)
{
	size_t whole = hello_with_room(0, 0);

	for (size_t room = 0; room < whole; room += STEP)
		hello_with_room(room, 3);
}

static void
test_answers_of_every_length(void **state)
{
	(void)state;
	talk.spared = 0;
	talk.is_strict = false;
	assert_true(workers_start());
	assert_true(enter(ALICE, 0, false, EVERYTHING));
	assert_true(enter(BOB, 1, false, EVERYTHING));
	assert_true(ask(BOB, "e1", "events.publish",
	    "{\"event\":\"session.message\",\"sessionKey\":\"a:b:c\",\"payload\":{\"role\":\"r\"}}",
	    "\"seq\":"));
	for (unsigned i = 0; i < methods_count(); i++)
		break_off_method(method_at(i)->name, 1);
	break_off_method("connections.list", 8);
	break_off_hello();
	break_off_endpoint("/health");
	break_off_endpoint("/ready");
	break_off_endpoint("/info");
	break_off_endpoint("/metrics");
	print_message("answers broke off %u times\n", talk.spared);
	assert_true(talk.spared > 1000);
	all_leave();
	for (unsigned i = 0; i < STAGE_GATEWAYS; i++)
		stage_gateway_fini(&stage.gateways[i]);
}

#define conversation_test(name)               \
	static void test_##name(void **state) \
	{                                     \
		(void)state;                  \
		walk(#name, talk_##name);     \
	}

conversation_test(requests) conversation_test(slow) conversation_test(lapped)
    conversation_test(resume) conversation_test(busy) conversation_test(http)

	static int set_up(void **state)
{
	if (bus_setup(state) != 0)
		return -1;
	stage.bus = *state;
	stage.conf.gateway = (struct conf_gateway){
		.max_connections = 100,
		.max_payload = 16000,
		.max_buffered_bytes = 1 << 20,
		.max_in_flight = 64,
		.max_fragments = 16,
		.slow_consumer_timeout_ms = 600000,
		.stuck_bytes = 1 << 20,
		.position_interval_ms = 600000,
	};
	for (unsigned i = 0; i < STAGE_CLIENTS; i++)
		stage.clients[i].fd = -1;
	roster_set_gateway(segment_roster(stage.bus->segment), getpid(), clock_real_ms(), 2);
	log_configure(
	    &(struct log_setup){ .level = LOG_LEVEL_ERROR, .file_fd = -1, .stderr_fd = -1 });
	alarm(PATIENCE_S);
	return 0;
}

#define memory_test(name) cmocka_unit_test_setup_teardown(test_##name, set_up, bus_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		memory_test(requests),
		memory_test(slow),
		memory_test(lapped),
		memory_test(resume),
		memory_test(busy),
		memory_test(http),
		memory_test(answers_of_every_length),
	};

	event_set_mem_functions(mem_alloc, mem_resize, mem_free);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
