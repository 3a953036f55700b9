/*
 * The opening handshake as a client makes it: the request, and every way in which an answer can be
 * wrong, whole and byte by byte.
 */
#include "support_cmocka.h"

#include <stdio.h>

#include "cli/endpoint.h"
#include "cli/upgrade.h"
#include "proto/handshake.h"
#include "proto/http.h"

enum { ANSWER_MAX = 512 };

/* Fills %s with the right accept key. */
static void
make_answer(const struct upgrade *u, const char *format, char answer[ANSWER_MAX])
{
	char accept[HANDSHAKE_ACCEPT_LEN + 1];

	assert_int_equal(handshake_accept_key(span_cstr(u->key), accept), 0);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(answer, ANSWER_MAX, format, accept);
#pragma GCC diagnostic pop
}

static struct upgrade
begin(const char *token, struct buf *request)
{
	struct endpoint endpoint;
	struct upgrade u;

	assert_int_equal(endpoint_from_address(&endpoint, "::1", 80, false), 0);
	assert_int_equal(upgrade_write(&u, &endpoint, token, request), 0);
	endpoint_fini(&endpoint);
	return u;
}

/* The request passes the project's own strict server side. */
static void
request_is_right(void **state)
{
	struct buf request = { 0 };
	struct http_head head;
	struct http_fault fault;
	struct handshake handshake;
	struct upgrade u = begin("secret", &request);
	size_t used;

	(void)state;
	assert_int_equal(
	    http_head_parse(request.data, request.len, &head, &used, &fault), HTTP_HEAD);
	assert_int_equal(used, request.len);
	assert_int_equal(handshake_check(&head, &handshake, &fault), HANDSHAKE_UPGRADE);
	assert_true(span_is(handshake.key, u.key));
	assert_true(handshake.wants_lurkbot_v1);
	assert_span(head.host, "[::1]:80");
	assert_span(http_head_find(&head, "authorization")->value, "Bearer secret");
	assert_null(http_head_find(&head, "origin"));
	buf_fini(&request);
}

static const char good[] = "HTTP/1.1 101 Switching Protocols\r\nUPGRADE:websocket \r\n"
			   "Connection: x, upgrade\r\nDate: now\r\nSec-WebSocket-Accept:  %s\r\n"
			   "Sec-WebSocket-Protocol: lurkbot.v1\r\n\r\n";

static void
good_answer_byte_by_byte(void **state)
{
	struct buf request = { 0 };
	struct upgrade u = begin(NULL, &request);
	struct upgrade_refusal refusal;
	char answer[ANSWER_MAX];
	size_t used, n;

	(void)state;
	make_answer(&u, good, answer);
	n = strlen(answer);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(
		    upgrade_read(&u, span_make(answer, i), &used, &refusal), UPGRADE_PARTIAL);
	strcat(answer, "frames");
	assert_int_equal(upgrade_read(&u, span_cstr(answer), &used, &refusal), UPGRADE_OPEN);
	assert_int_equal(used, n);
	buf_fini(&request);
}

static void
broken_answers(void **state)
{
	static const struct {
		const char *answer, *text;
	} cases[] = {
		{ "SSH-2.0-x\r\n\r\n", "its answer is not HTTP" },
		{ "HTTP/1.1 1x1 A\r\n\r\n", "its answer is not HTTP" },
		{ "HTTP/1.1\r\n\r\n", "its answer is not HTTP" },
		{ "HTTP/1.1 101 A\r\nConnection: upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		    "its answer does not upgrade to websocket" },
		{ "HTTP/1.1 101 A\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		    "its answer does not upgrade to websocket" },
		{ "HTTP/1.1 101 A\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
		    "its answer has the wrong Sec-WebSocket-Accept" },
		{ "HTTP/1.1 101 A\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
		  "Sec-WebSocket-Accept: x%s\r\n\r\n",
		    "its answer has the wrong Sec-WebSocket-Accept" },
		{ "HTTP/1.1 101 A\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
		  "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Extensions: a\r\n\r\n",
		    "it uses an extension that was not offered" },
		{ "HTTP/1.1 101 A\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
		  "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: b\r\n\r\n",
		    "it chose a subprotocol that was not offered" },
	};
	struct buf request = { 0 };
	struct upgrade u = begin(NULL, &request);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct upgrade_refusal refusal;
		char answer[ANSWER_MAX];
		size_t used;

		make_answer(&u, cases[i].answer, answer);
		assert_int_equal(
		    upgrade_read(&u, span_cstr(answer), &used, &refusal), UPGRADE_REFUSED);
		assert_int_equal(refusal.status, 0);
		assert_string_equal(refusal.text, cases[i].text);
	}
	buf_fini(&request);
}

static void
refusals_tell_status_and_length(void **state)
{
	static const char answer[] =
	    "HTTP/1.1 401 Not\x1b today\r\nContent-Length: 7\r\n\r\nbody...";
	struct buf request = { 0 };
	struct upgrade u = begin(NULL, &request);
	struct upgrade_refusal refusal;
	size_t used;

	(void)state;
	assert_int_equal(upgrade_read(&u, span_cstr(answer), &used, &refusal), UPGRADE_REFUSED);
	assert_int_equal(refusal.status, 401);
	assert_int_equal(refusal.content_length, 7);
	assert_string_equal(refusal.text, "Not today");
	assert_string_equal(answer + used, "body...");
	buf_fini(&request);
}

static void
endless_answer(void **state)
{
	static char answer[UPGRADE_HEAD_MAX];
	struct upgrade u = { .key = "AAAAAAAAAAAAAAAAAAAAAA==" };
	struct upgrade_refusal refusal;
	size_t used;

	(void)state;
	memset(answer, 'a', sizeof(answer));
	assert_int_equal(upgrade_read(&u, span_make(answer, sizeof(answer) - 1), &used, &refusal),
	    UPGRADE_PARTIAL);
	assert_int_equal(
	    upgrade_read(&u, span_make(answer, sizeof(answer)), &used, &refusal), UPGRADE_REFUSED);
	assert_int_equal(refusal.status, 0);
}

static void
tokens(void **state)
{
	static char longest[4097];

	(void)state;
	memset(longest, 't', sizeof(longest));
	assert_true(upgrade_token_is_valid(SPAN("a.B-c_~+/=")));
	assert_true(upgrade_token_is_valid(span_make(longest, 4096)));
	assert_false(upgrade_token_is_valid(span_make(longest, 4097)));
	assert_false(upgrade_token_is_valid(SPAN("")));
	assert_false(upgrade_token_is_valid(SPAN("a b")));
	assert_false(upgrade_token_is_valid(SPAN("a\r\nX: y")));
	assert_false(upgrade_token_is_valid(SPAN("\xc3\xa9")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_is_right),
		cmocka_unit_test(good_answer_byte_by_byte),
		cmocka_unit_test(broken_answers),
		cmocka_unit_test(refusals_tell_status_and_length),
		cmocka_unit_test(endless_answer),
		cmocka_unit_test(tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
