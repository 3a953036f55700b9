/*
 * Connections over a pair of sockets, with /echo behind them: order, ends, back pressure, and what
 * becomes of them without memory.
 */
#include "support_cmocka.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "bus/counters.h"
#include "conf/conf.h"
#include "gateway/parting.h"
#include "gateway/auth.h"
#include "gateway/connection.h"
#include "gateway/connections.h"
#include "gateway/context.h"
#include "gateway/httpd.h"
#include "gateway/poller.h"
#include "gateway/wsock.h"
#include "proto/frame.h"
#include "support_alloc.h"

enum {
	SEND_BUFFER = 8192,
	LONG_MS = 100 * 1000, /* beyond every deadline */
	TURNS_MAX = 10000,
	PATIENCE_S = 20, /* a loop that never ends is ended by SIGALRM */
};

static const char live[] = "GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n";
static const char upgrade[] = "GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
			      "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
			      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

static struct conf conf;
static struct gateway g;
static struct buf sent, received;
static int peer;
static void *ledger_memory;

static void
open_one(void)
{
	int pair[2], room = SEND_BUFFER, much = 1 << 22;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &much, sizeof(much));
	peer = pair[1];
	buf_reset(&received);
	assert_non_null(connection_open(&g, pair[0], 0, false, &httpd_handler));
}

static int
set_up(void **state)
{
	static const uint32_t length_ms[DEADLINE_KINDS] = { 10000, 10000, 10000, 10000, 10000,
		2000 };
	static char nobody[] = "";

	(void)state;
	conf.gateway = (struct conf_gateway){
		.max_payload = 1 << 20,
		.max_buffered_bytes = 1 << 20,
		.max_in_flight = 64,
		.max_header_bytes = 16384,
		.max_header_lines = 100,
		.max_hello_bytes = 65536,
		.max_fragments = 1024,
		.echo = true,
		.auth_jwt_audience = nobody,
	};
	g = (struct gateway){ .conf = &conf, .poller = poller_new(connection_on_ready) };
	g.counters = aligned_alloc(64, sizeof(struct counters));
	memset(g.counters, 0, sizeof(struct counters));
	ledger_memory = aligned_alloc(64, (ledger_bytes() + 63) / 64 * 64);
	g.ledger = ledger_new(ledger_memory);
	ledger_format(g.ledger);
	g.on_parting = parting_note;
	list_init(&g.connections);
	list_init(&g.dirty);
	list_init(&g.graveyard);
	list_init(&g.pendings);
	g.auth = auth_new(&conf);
	g.read_buffer = malloc(GATEWAY_READ_BYTES);
	g.deadlines = deadlines_new(length_ms, connection_on_deadline);
	peer = -1;
	alarm(PATIENCE_S);
	return 0;
}

static void
turn(void)
{
	poller_turn(g.poller);
	connections_flush(&g);
	connections_bury(&g);
}

/* Ends what is left; nothing may touch what was freed before. */
static void
end_all(void)
{
	deadlines_expire(g.deadlines, clock_mono_ms() + LONG_MS);
	deadlines_expire(g.deadlines, clock_mono_ms() + LONG_MS);
	connections_bury(&g);
	assert_true(list_is_empty(&g.connections));
	assert_int_equal(counters_get(&g.counters->connections), 0);
	assert_int_equal(counters_get(&g.counters->websockets), 0);
	if (peer >= 0)
		close(peer);
	peer = -1;
}

static int
tear_down(void **state)
{
	(void)state;
	end_all();
	traffic_free_spares(&g);
	deadlines_free(g.deadlines);
	auth_free(g.auth);
	free(g.read_buffer);
	free(g.counters);
	ledger_free(g.ledger);
	free(ledger_memory);
	buf_fini(&g.text);
	buf_fini(&g.reply);
	buf_fini(&sent);
	buf_fini(&received);
	poller_free(g.poller);
	return 0;
}

/* --- the peer ------------------------------------------------------------------------------- */

static void
say(const void *bytes, size_t n)
{
	assert_int_equal(send(peer, bytes, n, MSG_NOSIGNAL), n);
}

static void
put_frame(struct buf *out, enum ws_opcode opcode, struct span payload)
{
	frame_append_masked(out, opcode, payload, (const uint8_t *)"\1\2\3\4");
}

/* Reads what there is; false at the end. */
static bool
listen_once(void)
{
	char bytes[3000];
	ssize_t n = recv(peer, bytes, sizeof(bytes), 0);

	if (n > 0)
		buf_append(&received, bytes, (size_t)n);
	return n > 0 || (n < 0 && errno == EAGAIN);
}

/* Turns until n bytes have come, or the end. */
static void
listen_for(size_t n)
{
	for (unsigned i = 0; i < TURNS_MAX && received.len < n; i++) {
		turn();
		if (!listen_once())
			break;
	}
}

/* Whether the gateway ends the connection by itself, without a deadline. */
static bool
is_ended_soon(void)
{
	for (unsigned i = 0; i < 50; i++) {
		turn();
		listen_once();
	}
	return list_is_empty(&g.connections);
}

static void
open_echo(void)
{
	open_one();
	say(upgrade, strlen(upgrade));
	listen_for(1);
	assert_non_null(memmem(received.data, received.len, "\r\n\r\n", 4));
	buf_reset(&received);
}

/* --- tests ---------------------------------------------------------------------------------- */

static void
test_pipelined_requests_are_answered_in_order(void **state)
{
	static const char requests[] =
	    "GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n"
	    "GET /nope HTTP/1.1\r\nHost: localhost\r\n\r\n"
	    "HEAD /live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	const char *first, *second, *third;

	(void)state;
	open_one();
	say(requests, strlen(requests));
	for (unsigned i = 0; i < 10; i++) {
		turn();
		listen_once();
	}
	buf_append(&received, "", 1);
	first = strstr(received.data, "HTTP/1.1 200");
	assert_ptr_equal(first, received.data);
	second = strstr(first, "HTTP/1.1 404");
	assert_non_null(second);
	third = strstr(second, "HTTP/1.1 200");
	assert_non_null(third);
	assert_null(strstr(third, "alive"));
	close(peer);
	peer = -1;
	assert_true(is_ended_soon());
}

/* A peer that takes its time gets every byte, and is not read from meanwhile. */
static void
test_back_pressure(void **state)
{
	struct span message;
	size_t total = 0;

	(void)state;
	open_echo();
	assert_true(buf_reserve(&sent, 50000));
	memset(sent.data, 'x', 50000);
	message = span_make(sent.data, 50000);
	for (unsigned i = 0; i < 60; i++) {
		struct buf frame = { 0 };

		put_frame(&frame, WS_TEXT, message);
		total += 50004;
		say(frame.data, frame.len);
		buf_fini(&frame);
		turn();
	}
	listen_for(total);
	assert_int_equal(received.len, total);
}

/*
 * What was queued as HTTP before an upgrade is no frame: whoever looks where frames end must not look
 * there.  The pongs are such that a reader who is out of step finds a length that wraps round to 0.
 */
static void
test_frames_behind_unsent_http(void **state)
{
	for (unsigned zeros = 80; zeros < 100; zeros++) {
		char payload[125] = { 0 };
		size_t total;

		(void)state;
		memset(payload + zeros, 0xff, 9);
		payload[zeros + 9] = (char)0xf6;
		open_one();
		buf_reset(&sent);
		for (unsigned i = 0; i < 40; i++)
			buf_append_cstr(&sent, live);
		buf_append_cstr(&sent, upgrade);
		for (unsigned i = 0; i < 300; i++)
			put_frame(&sent, WS_PING, span_make(payload, sizeof(payload)));
		say(sent.data, sent.len);
		for (unsigned i = 0; i < 20; i++)
			turn();
		total = 300 * (sizeof(payload) + 2) + 40 * sizeof(live);
		listen_for(total);
		assert_true(received.len >= total);
		end_all();
	}
}

static void
test_close_handshake(void **state)
{
	(void)state;
	open_echo();
	put_frame(&sent, WS_CLOSE,
	    SPAN("\x0b\xb8"
		 "bye"));
	say(sent.data, sent.len);
	assert_true(is_ended_soon());
	assert_true(received.len >= 4);
	assert_memory_equal(received.data + 2, "\x0b\xb8", 2);
}

static void
refuse_message(struct connection *c, struct span text, bool binary)
{
	(void)text;
	(void)binary;
	connection_close(c, LEDGER_ADMIN, 1008, "Nothing is right here");
}

/* The peer says goodbye in the segment that made us close: nothing more has to be waited for. */
static void
test_goodbye_behind_what_made_us_close(void **state)
{
	(void)state;
	open_one();
	wsock_start(
	    container_of(list_first(&g.connections), struct connection, link), refuse_message);
	put_frame(&sent, WS_TEXT, SPAN("anything"));
	put_frame(&sent, WS_TEXT, SPAN("more"));
	put_frame(&sent, WS_CLOSE, SPAN("\x03\xe8"));
	say(sent.data, sent.len);
	assert_true(is_ended_soon());
	assert_memory_equal(received.data + 2, "\x03\xf0", 2);
}

/* After a fault nothing of the peer's can be read: it is told the end by the end of the stream. */
static void
test_goodbye_after_a_fault(void **state)
{
	(void)state;
	open_echo();
	put_frame(&sent, WS_CONT, SPAN("nothing to continue"));
	say(sent.data, sent.len);
	listen_for(4);
	assert_memory_equal(received.data + 2, "\x03\xea", 2);
	buf_reset(&sent);
	put_frame(&sent, WS_CLOSE, SPAN("\x03\xea"));
	(void)send(peer, sent.data, sent.len, MSG_NOSIGNAL);
	assert_true(is_ended_soon() || !listen_once());
}

static struct connection *
only_one(void)
{
	assert_ptr_equal(list_first(&g.connections), list_last(&g.connections));
	return container_of(list_first(&g.connections), struct connection, link);
}

/* Asks, and is answered. */
static struct connection *
ask_live(void)
{
	buf_reset(&received);
	say(live, strlen(live));
	listen_for(1);
	assert_memory_equal(received.data, "HTTP/1.1 200 ", 13);
	return only_one();
}

static void
test_keeping_a_connection_alive_is_bounded(void **state)
{
	struct connection *c;
	uint64_t end_ms;

	(void)state;
	open_one();
	c = ask_live();
	/* What counts is the time between two requests, */
	assert_int_equal(c->deadline.kind, DEADLINE_IDLE);
	/* and from the first byte of the next head that until it is there whole: */
	say("GET ", 4);
	turn();
	assert_int_equal(c->deadline.kind, DEADLINE_HANDSHAKE);
	end_ms = c->deadline.at_ms;
	c->deadline.at_ms = --end_ms;
	/* bytes that trickle in do not extend it. */
	say("/live HTTP/1.1\r\n", 16);
	turn();
	assert_int_equal(c->deadline.at_ms, end_ms);
	say("Host: localhost\r\n\r\n", 19);
	turn();
	assert_int_equal(c->deadline.kind, DEADLINE_IDLE);
	/* One who goes on asking is told to come back anew after an hour. */
	c->connected_at_ms -= 59 * 60 * 1000;
	c = ask_live();
	assert_null(memmem(received.data, received.len, "Connection: close", 17));
	c->connected_at_ms -= 60 * 1000;
	(void)ask_live();
	assert_non_null(memmem(received.data, received.len, "Connection: close", 17));
	for (unsigned i = 0; i < 10; i++)
		turn();
	assert_false(listen_once());
	close(peer);
	peer = -1;
	assert_true(is_ended_soon());
}

enum { VISITED = 6 };

struct visit {
	struct connection *all[VISITED], *seen[VISITED];
	unsigned count, stop_after;
};

/* Ends itself, the one before and the one behind. */
static bool
end_neighbours(struct connection *c, void *arg)
{
	struct visit *visit = arg;

	visit->seen[visit->count++] = c;
	for (unsigned i = 0; i < VISITED; i++) {
		if (visit->all[i] != c)
			continue;
		connection_abort(c, LEDGER_ADMIN, "itself");
		connection_abort(visit->all[(i + 1) % VISITED], LEDGER_ADMIN, "behind");
		connection_abort(visit->all[(i + VISITED - 1) % VISITED], LEDGER_ADMIN, "before");
	}
	return visit->count != visit->stop_after;
}

static void
visit_some(unsigned stop_after, unsigned wanted, unsigned left)
{
	struct visit visit = { .stop_after = stop_after };
	struct list *at;
	int peers[VISITED];

	for (unsigned i = 0; i < VISITED; i++) {
		open_one();
		peers[i] = peer;
		visit.all[i] = container_of(list_last(&g.connections), struct connection, link);
	}
	connections_visit(&g, end_neighbours, &visit);
	assert_int_equal(visit.count, wanted);
	for (unsigned i = 0; i < wanted; i++)
		assert_ptr_equal(visit.seen[i], visit.all[2 * i]);
	LIST_FOREACH (at, &g.connections) {
		struct connection *c = container_of(at, struct connection, link);

		assert_int_equal(c->state, CONNECTION_OPEN);
		assert_ptr_equal(c, visit.all[VISITED - 1 - left--]);
	}
	assert_int_equal(left, 0);
	peer = -1;
	end_all();
	for (unsigned i = 0; i < VISITED; i++)
		close(peers[i]);
}

static void
test_a_visit_survives_the_end_of_neighbours(void **state)
{
	(void)state;
	visit_some(0, 3, 0);
	visit_some(1, 1, 3);
}

static void
try_without_memory(const char *request)
{
	unsigned n = 0;

	do {
		open_one();
		say(request, strlen(request));
		buf_fini(&g.text);
		buf_fini(&g.reply);
		support_alloc_fail_at(++n);
		turn();
		turn();
		if (support_alloc_count() < n)
			n = 0;
		support_alloc_fail_at(0);
		end_all();
	} while (n != 0);
}

static void
test_without_memory(void **state)
{
	(void)state;
	try_without_memory(live);
	try_without_memory("GET /nope HTTP/1.1\r\nHost: localhost\r\n\r\n");
	try_without_memory("broken\r\n\r\n");
	try_without_memory(upgrade);
}

#define connection_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		connection_test(test_pipelined_requests_are_answered_in_order),
		connection_test(test_back_pressure),
		connection_test(test_frames_behind_unsent_http),
		connection_test(test_close_handshake),
		connection_test(test_goodbye_behind_what_made_us_close),
		connection_test(test_goodbye_after_a_fault),
		connection_test(test_keeping_a_connection_alive_is_bounded),
		connection_test(test_a_visit_survives_the_end_of_neighbours),
		connection_test(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
