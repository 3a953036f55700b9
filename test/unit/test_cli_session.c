/*
 * Hello and requests: what goes out, which frame counts as the answer, and how errors are read.
 */
#include "support_cmocka.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/endpoint.h"
#include "cli/session.h"
#include "proto/envelope.h"
#include "proto/hello.h"
#include "proto/json.h"
#include "support_children.h"
#include "support_peer.h"

/* The hello passes the gateway's own reader, and subscribes to what was asked for. */
static bool
hello_is_right(struct peer *p)
{
	struct wsrecv_item item;
	struct envelope_fault fault;
	struct hello *hello;

	if (peer_next(p, &item) != WSRECV_TEXT || hello_parse(item.payload, &hello, &fault) != 0)
		return false;
	hello_free(hello);
	return memmem(item.payload.p, item.payload.n, "\"subscribe\":{\"events\":[]}", 25) != NULL;
}

static int
act_answer(struct peer *p)
{
	struct wsrecv_item item;
	struct envelope frame;
	struct envelope_fault fault;

	if (!hello_is_right(p))
		return 1;
	peer_send_text(p, "{\"type\":\"hello-ok\",\"protocol\":1}");
	if (peer_next(p, &item) != WSRECV_TEXT || envelope_parse(item.payload, &frame, &fault) != 0)
		return 2;
	if (!span_is(frame.method, "a.b") || !span_is(frame.params.text, "{\"x\":1e300}") ||
	    !span_is(frame.session_key, "k\"") || frame.timeout_ms != 70)
		return 3;
	peer_send_text(p, "{\"type\":\"event\",\"id\":\"cli-1\",\"event\":\"e\"}");
	peer_send_text(p, "{\"type\":\"response\",\"id\":\"other\",\"result\":1}");
	peer_send_text(p, "{\"type\":\"progress\",\"id\":\"cli-1\",\"payload\":{}}");
	peer_send_text(p, "{\"id\":\"cli-1\",\"type\":\"response\",\"result\":{\"y\": 1.0}}");
	if (peer_next(p, &item) != WSRECV_TEXT)
		return 4;
	peer_send_text(p,
	    "{\"id\":\"cli-2\",\"type\":\"response\",\"error\":{\"code\":\"INVALID_REQUEST\","
	    "\"message\":\"No \\u00e9\",\"details\":{\"reason\":\"forbidden\"}}}");
	return peer_next(p, &item) == WSRECV_CLOSE ? 0 : 5;
}

/* A listening socket whose one connection is handed to a peer's act. */
static pid_t
listen_and_act(peer_act act, char path[64])
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	snprintf(path, 64, "/tmp/test-session-%d", (int)getpid());
	strcpy(address.sun_path, path);
	unlink(path);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 1), 0);
	pid = support_fork();
	if (pid == 0)
		_exit(support_peer_serve(accept(listener, NULL, NULL), NULL, act));
	close(listener);
	return pid;
}

static enum cli_status
open_session(struct session *s, peer_act act, pid_t *ret_pid)
{
	struct endpoint endpoint;
	enum cli_status status;
	char path[64];

	*ret_pid = listen_and_act(act, path);
	assert_int_equal(endpoint_from_socket(&endpoint, path), 0);
	session_init(s);
	status = session_open(s, &endpoint, NULL, SPAN("{\"events\":[]}"));
	endpoint_fini(&endpoint);
	unlink(path);
	return status;
}

static void
requests_and_answers(void **state)
{
	const struct request first = {
		.method = "a.b",
		.params = SPAN_INIT("{\"x\":1e300}"),
		.session_key = "k\"",
		.timeout_ms = 70,
	};
	const struct request second = { .method = "c" };
	struct session s;
	struct reply reply;
	pid_t pid;

	(void)state;
	assert_int_equal(open_session(&s, act_answer, &pid), CLI_OK);
	assert_int_equal(session_ask(&s, &first, &reply), CLI_OK);
	assert_false(reply.failed);
	assert_span(reply.result, "{\"y\": 1.0}");
	assert_int_equal(session_ask(&s, &second, &reply), CLI_OK);
	assert_true(reply.failed);
	assert_string_equal(reply.error.code, "INVALID_REQUEST");
	assert_string_equal(reply.error.message, "No \xc3\xa9");
	assert_int_equal(errorshape_status(&reply.error), CLI_UNAUTHORIZED);
	session_close(&s);
	assert_int_equal(support_reap(pid), 0);
}

static int
refuse(struct peer *p, const char *text)
{
	struct wsrecv_item item;

	if (!hello_is_right(p))
		return 1;
	peer_send_text(p, text);
	while (peer_next(p, &item) != WSRECV_MORE)
		continue;
	return 0;
}

static int
act_unauthorized(struct peer *p)
{
	return refuse(p, "{\"type\":\"hello-error\",\"error\":{\"code\":\"INVALID_REQUEST\","
			 "\"message\":\"Authentication failed: bad token\","
			 "\"details\":{\"reason\":\"unauthorized\"}}}");
}

static int
act_mismatch(struct peer *p)
{
	return refuse(p,
	    "{\"type\":\"hello-error\",\"error\":{\"code\":\"INVALID_REQUEST\","
	    "\"message\":\"No \\u001bversion\",\"details\":{\"reason\":\"protocol-mismatch\"}}}");
}

static int
act_strange(struct peer *p)
{
	return refuse(p, "{\"type\":\"welcome\"}");
}

static int
act_mute(struct peer *p)
{
	return refuse(p, "{\"type\":\"hello-error\"}");
}

static void
refused_hellos(void **state)
{
	static const struct {
		peer_act act;
		enum cli_status status;
		const char *why;
	} cases[] = {
		{ act_unauthorized, CLI_UNAUTHORIZED, "Authentication failed: bad token" },
		{ act_mismatch, CLI_FAILED, "No \\u001bversion" },
		{ act_strange, CLI_UNREACHABLE, "The peer does not speak the gateway's protocol" },
		{ act_mute, CLI_FAILED, "The gateway refused the hello" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct session s;
		pid_t pid;

		assert_int_equal(open_session(&s, cases[i].act, &pid), cases[i].status);
		assert_string_equal(s.client.why, cases[i].why);
		session_close(&s);
		assert_int_equal(support_reap(pid), 0);
	}
}

static int
act_vanish(struct peer *p)
{
	struct wsrecv_item item;

	if (!hello_is_right(p))
		return 1;
	peer_send_text(p, "{\"type\":\"hello-ok\"}");
	return peer_next(p, &item) == WSRECV_TEXT ? 0 : 2;
}

static void
lost_before_the_answer(void **state)
{
	const struct request request = { .method = "a" };
	struct session s;
	struct reply reply;
	pid_t pid;

	(void)state;
	assert_int_equal(open_session(&s, act_vanish, &pid), CLI_OK);
	assert_int_equal(session_ask(&s, &request, &reply), CLI_UNREACHABLE);
	session_close(&s);
	assert_int_equal(support_reap(pid), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_and_answers),
		cmocka_unit_test(refused_hellos),
		cmocka_unit_test(lost_before_the_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
