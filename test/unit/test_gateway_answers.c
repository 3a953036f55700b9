/*
 * Answers that break off: those of all methods and endpoints, the hello-ok and the pages of two workers
 * meet a buffer that cannot grow, at each third byte. What must hold is said in support_talk.h.
 */
#include "support_talk.h"

#include "gateway/methods.h"

enum { STEP = 3 };

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
		(void)poller_turn(stage.gateways[0].poller);
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
get_with_room(size_t room, const char *request, unsigned n)
{
	size_t heard;

	stage_connect(EVE, 1, false);
	give_room(room);
	stage_say(EVE, request);
	support_alloc_fail_at(n);
	stage_run(0);
	support_alloc_fail_at(0);
	/* One worker may have had no memory for the other one's question: then its time ends it. */
	if (stage_client(EVE)->heard == 0 && !stage_client(EVE)->ended) {
		stage.ahead_ms = 1500;
		stage_run(0);
		stage.ahead_ms = 0;
	}
	heard = stage_client(EVE)->heard;
	/* All of it or nothing, and then the end. */
	assert_true(heard > 0 || stage_client(EVE)->ended);
	talk.spared += heard == 0;
	stage_hang_up(EVE);
	stage_run(0);
	return heard;
}

static void
break_off_request(const char *request, unsigned allocations)
{
	size_t whole = get_with_room(0, request, 0);

	for (size_t room = 0; room < whole; room += STEP)
		for (unsigned n = 1; n <= allocations; n++)
			get_with_room(room, request, n);
}

static void
break_off_endpoint(const char *path)
{
	char request[256];

	snprintf(request, sizeof(request),
	    "GET %s HTTP/1.1\r\nHost: localhost\r\nAccept: application/openmetrics-text\r\n\r\n",
	    path);
	break_off_request(request, 1);
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
	break_off_request("POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
			  "chunked\r\nContent-Type: application/json\r\n\r\n15\r\n"
			  "{\"event\":\"agent.del\"}"
			  "\r\n0\r\n\r\n",
	    10);
	break_off_request(
	    "POST /api/v1/rpc/connections.list HTTP/1.1\r\nHost: localhost\r\n\r\n", 10);
	break_off_request("GET /api/v1/events?events=session.*&lastEventId=e:1 HTTP/1.1\r\nHost: "
			  "localhost\r\n\r\n",
	    12);
	print_message("answers broke off %u times\n", talk.spared);
	assert_true(talk.spared > 1000);
	all_leave();
	for (unsigned i = 0; i < STAGE_GATEWAYS; i++)
		stage_gateway_fini(&stage.gateways[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_answers_of_every_length, talk_set_up, talk_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
