/*
 * Two workers and their clients in conversation, with the n-th allocation failing, for every n. What
 * must hold is said in support_talk.h; and afterwards nothing is left of it: the same conversation goes through, on the same workers, and their counts are what they were.
 */
#include "support_talk.h"

#include "sys/process.h"

/* --- conversations ---------------------------------------------------------------------------- */

static void
talk_requests(void)
{
	unsigned long long word;
	char params[256], right[64];

	enter(ALICE, 0, false, EVERYTHING);
	enter(BOB, 1, false, EVERYTHING);
	ask(ALICE, "r1", "health", "{}", "\"workers\":2");
	ask(ALICE, "r2", "status", "{}", "\"ring\"");
	ask(ALICE, "r3", "methods.list", "{}", "sessions.list");
	/* Another word each time: what is told of the session is of this message. */
	word = (unsigned long long)ring_head(stage.bus->ring);
	snprintf(params, sizeof(params),
	    "{\"event\":\"session.m\\u0065ssage\",\"sessionKey\":\"a:b:\\u0063\","
	    "\"payload\":{\"role\":\"us\\u0065r\",\"content\":\"w\\u006frd%llu\"}}",
	    word);
	snprintf(right, sizeof(right), "\"role\":\"user\",\"preview\":\"word%llu\"", word);
	give_room(0);
	if (ask_to_publish(BOB, "r4", params))
		ask(ALICE, "r5", "sessions.list", "{\"search\":\"w\\u006frd\"}", right);
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

/* Who is told that a subscription did not go has the one that it had. */
static void
talk_subscribe(void)
{
	enter(ALICE, 0, false, EVERYTHING);
	enter(BOB, 1, false, EVERYTHING);
	give_room(0);
	if (ask(ALICE, "s1", "events.subscribe",
		"{\"events\":[\"none.*\"],\"sessionKeys\":[\"k\"]}", "none"))
		stage_hang_up(ALICE);
	ask_to_publish(BOB, "s2", "{\"event\":\"load.y\"}");
	all_is_heard(0);
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
	if (seq < 3) {
		spare(!is_there(BOB), "nothing was published");
		return;
	}
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
		(void)poller_turn(stage.gateways[0].poller);
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
	snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: localhost\r\n", path);
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

/* One conversation with allocation n failing, and the same with the same workers as if nothing were. */
static bool
try_without(unsigned n, void (*conversation)(void))
{
	bool was_met, started;
	unsigned before;

	/* A ring that has been used would move the numbers of the allocations from try to try. */
	assert_int_equal(talk_set_up(NULL), 0);
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
	assert_int_equal(talk_tear_down(NULL), 0);
	return was_met;
}

struct conversation {
	const char *name;
	void (*talk)(void);
};

static void
walk(void **state)
{
	const struct conversation *conversation = *state;
	unsigned n = 1;

	talk.spared = 0;
	while (try_without(n, conversation->talk))
		n++;
	print_message(
	    "%s: %u failures, %u steps did not go right\n", conversation->name, n - 1, talk.spared);
	assert_true(n > 20);
}

#define CONVERSATION(name)                                                             \
	{                                                                              \
#name, walk, NULL, NULL, &(struct conversation){ #name, talk_##name }, \
	}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CONVERSATION(requests),
		CONVERSATION(subscribe),
		CONVERSATION(slow),
		CONVERSATION(lapped),
		CONVERSATION(resume),
		CONVERSATION(busy),
		CONVERSATION(http),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
