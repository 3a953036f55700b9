/*
 * The client against a server that does what servers do, and what they should not.
 */
#include "support_cmocka.h"

#include <unistd.h>

#include "base/clock.h"
#include "cli/client.h"
#include "cli/endpoint.h"
#include "proto/frame.h"
#include "support_children.h"
#include "support_peer.h"

static uint64_t
soon(void)
{
	return clock_mono_ms() + SUPPORT_PATIENCE_MS;
}

/* Connects to the peer; the status of the upgrade. */
static enum cli_status
open_client(struct client *c, const char *answer, peer_act act, pid_t *ret_pid)
{
	struct endpoint endpoint;
	enum cli_status status;
	int fd;

	*ret_pid = support_peer(answer, act, &fd);
	client_init(c);
	assert_int_equal(endpoint_from_address(&endpoint, "h", 1, false), 0);
	status = client_upgrade_take(c, fd, &endpoint, "token", soon());
	endpoint_fini(&endpoint);
	return status;
}

static void
assert_message(struct client *c, const char *text)
{
	struct span message;

	assert_int_equal(client_receive(c, soon(), &message), CLI_OK);
	assert_true(span_is(message, text));
}

static void
assert_ended(struct client *c, const char *why)
{
	struct span message;

	assert_int_equal(client_receive(c, soon(), &message), CLI_UNREACHABLE);
	assert_string_equal(c->why, why);
}

/* Messages in one piece and in fragments, pings between them; then the client says good-bye. */
static int
act_talk(struct peer *p)
{
	struct wsrecv_item item;

	peer_send_text(p, "one");
	peer_send(p, SPAN("\x01\x02tw\x89\x04ping\x80\x01o"));
	if (peer_next(p, &item) != WSRECV_PONG || !span_is(item.payload, "ping"))
		return 1;
	if (peer_next(p, &item) != WSRECV_TEXT || !span_is(item.payload, "hello"))
		return 2;
	peer_send_text(p, "last");
	if (peer_next(p, &item) != WSRECV_CLOSE || item.code != WS_CLOSE_NORMAL)
		return 3;
	peer_send(p, SPAN("\x88\x02\x03\xe8"));
	return peer_next(p, &item) == WSRECV_MORE ? 0 : 4;
}

static void
a_conversation(void **state)
{
	struct client c;
	pid_t pid;

	(void)state;
	assert_int_equal(open_client(&c, NULL, act_talk, &pid), CLI_OK);
	assert_message(&c, "one");
	assert_message(&c, "two");
	assert_int_equal(client_send(&c, SPAN("hello"), soon()), CLI_OK);
	assert_message(&c, "last");
	client_close(&c);
	assert_int_equal(support_reap(pid), 0);
	assert_string_equal(c.why, "");
}

/* The first message comes in the same piece as the answer to the upgrade, cut byte by byte. */
static int
act_trickle(struct peer *p)
{
	static const char frames[] = "\x81\x03"
				     "abc\x81\x7e\x00\x80";
	struct wsrecv_item item;

	for (size_t i = 0; i < sizeof(frames) - 1; i++)
		peer_send(p, span_make(frames + i, 1));
	for (size_t i = 0; i < 128; i++)
		peer_send(p, SPAN("x"));
	return peer_next(p, &item) == WSRECV_CLOSE ? 0 : 1;
}

static void
trickled_frames(void **state)
{
	struct client c;
	struct span message;
	pid_t pid;

	(void)state;
	assert_int_equal(open_client(&c, NULL, act_trickle, &pid), CLI_OK);
	assert_message(&c, "abc");
	assert_int_equal(client_receive(&c, soon(), &message), CLI_OK);
	assert_int_equal(message.n, 128);
	client_close(&c);
	assert_int_equal(support_reap(pid), 0);
}

static int
act_close(struct peer *p)
{
	struct wsrecv_item item;

	peer_send_text(p, "before");
	peer_send(p, SPAN("\x88\x07\x03\xe9st\x1bop"));
	if (peer_next(p, &item) != WSRECV_CLOSE || item.code != WS_CLOSE_GOING_AWAY)
		return 1;
	return 0;
}

static void
the_gateway_closes(void **state)
{
	struct client c;
	pid_t pid;

	(void)state;
	assert_int_equal(open_client(&c, NULL, act_close, &pid), CLI_OK);
	assert_message(&c, "before");
	assert_ended(&c, "Connection closed by the gateway: 1001 st\\u001bop");
	client_close(&c);
	assert_string_equal(c.why, "Connection closed by the gateway: 1001 st\\u001bop");
	assert_int_equal(support_reap(pid), 0);
}

static int
act_end(struct peer *p)
{
	(void)p;
	return 0;
}

static void
the_gateway_dies(void **state)
{
	struct client c;
	pid_t pid;

	(void)state;
	assert_int_equal(open_client(&c, NULL, act_end, &pid), CLI_OK);
	assert_ended(&c, "Connection lost: the gateway ended it without a word");
	client_close(&c);
	assert_int_equal(support_reap(pid), 0);
}

static int
act_masked(struct peer *p)
{
	struct wsrecv_item item;

	peer_send(p, SPAN("\x81\x81\x01\x02\x03\x04x"));
	return peer_next(p, &item) == WSRECV_MORE ? 0 : 1;
}

static void
the_gateway_breaks_the_rules(void **state)
{
	struct client c;
	pid_t pid;

	(void)state;
	assert_int_equal(open_client(&c, NULL, act_masked, &pid), CLI_OK);
	assert_ended(&c, "Connection lost: Protocol error");
	client_close(&c);
	assert_int_equal(support_reap(pid), 0);
}

static int
act_silence(struct peer *p)
{
	struct wsrecv_item item;

	return peer_next(p, &item) == WSRECV_MORE ? 0 : 1;
}

static void
the_gateway_is_silent(void **state)
{
	struct client c;
	struct span message;
	pid_t pid;

	(void)state;
	assert_int_equal(open_client(&c, NULL, act_silence, &pid), CLI_OK);
	assert_int_equal(client_next(&c, &message), CLIENT_WAIT);
	assert_int_equal(client_receive(&c, clock_mono_ms() + 20, &message), CLI_FAILED);
	assert_string_equal(c.why, "The gateway did not answer in time");
	client_close(&c);
	assert_int_equal(support_reap(pid), 0);
}

static void
refusals(void **state)
{
	static const struct {
		const char *answer, *why;
		enum cli_status status;
	} cases[] = {
		{ "HTTP/1.1 401 Unauthorized\r\nContent-Length: 72\r\n\r\n"
		  "{\"error\":{\"code\":\"INVALID_REQUEST\",\"message\":\"Authentication failed: "
		  "no\"}}",
		    "Authentication failed: no", CLI_UNAUTHORIZED },
		{ "HTTP/1.1 401 Unauthorized\r\n\r\n", "Unauthorized: authentication failed",
		    CLI_UNAUTHORIZED },
		{ "HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\n{\"a\":\"b\"}", "Forbidden",
		    CLI_UNAUTHORIZED },
		{ "HTTP/1.1 503 Service Unavailable\r\n\r\n",
		    "ws://h:1 is not available now: Service Unavailable", CLI_UNREACHABLE },
		{ "HTTP/1.1 404 Not Found\r\n\r\n",
		    "ws://h:1 does not serve the gateway: 404 Not Found", CLI_UNREACHABLE },
		{ "SSH-2.0-OpenSSH\r\n\r\n", "ws://h:1 is no gateway: its answer is not HTTP",
		    CLI_UNREACHABLE },
		{ "HTTP/1.1 200", "ws://h:1 ended the connection before it answered",
		    CLI_UNREACHABLE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct client c;
		pid_t pid;

		assert_int_equal(open_client(&c, cases[i].answer, NULL, &pid), cases[i].status);
		assert_string_equal(c.why, cases[i].why);
		client_close(&c);
		assert_int_equal(support_reap(pid), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_conversation),
		cmocka_unit_test(trickled_frames),
		cmocka_unit_test(the_gateway_closes),
		cmocka_unit_test(the_gateway_dies),
		cmocka_unit_test(the_gateway_breaks_the_rules),
		cmocka_unit_test(the_gateway_is_silent),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
