/*
 * The opening handshake: the example of RFC 6455, every field missing, doubled or wrong, and the
 * answer.
 */
#include "support_cmocka.h"

#include <stdio.h>
#include <string.h>

#include "proto/handshake.h"
#include "support_alloc.h"

#define START	"GET /ws HTTP/1.1\r\nHost: h\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define KEY	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define GOOD	START UPGRADE VERSION KEY

static enum handshake_verdict
check(const char *lines, struct handshake *ret, struct http_fault *ret_fault)
{
	static char text[4096];
	static struct http_head head;
	size_t used;

	(void)snprintf(text, sizeof(text), "%s\r\n", lines);
	assert_int_equal(http_head_parse(text, strlen(text), &head, &used, ret_fault), HTTP_HEAD);
	return handshake_check(&head, ret, ret_fault);
}

static void
expect_upgrade(const char *lines, struct handshake *ret)
{
	struct http_fault fault = { 0, "", "" };

	if (check(lines, ret, &fault) != HANDSHAKE_UPGRADE)
		fail_msg("%s: %s", fault.text, lines);
	assert_span(ret->key, "dGhlIHNhbXBsZSBub25jZQ==");
}

static void
expect_plain(const char *lines)
{
	struct handshake handshake;
	struct http_fault fault;

	assert_int_equal(check(lines, &handshake, &fault), HANDSHAKE_PLAIN);
}

static void
expect_bad(const char *lines, int status, const char *header_lines)
{
	struct handshake handshake = { .key = SPAN("untouched") };
	struct http_fault fault = { 0, NULL, NULL };

	if (check(lines, &handshake, &fault) != HANDSHAKE_BAD || fault.status != status)
		fail_msg("status %d instead of %d for %s", fault.status, status, lines);
	assert_non_null(fault.text);
	assert_string_equal(fault.header_lines, header_lines);
	assert_span(handshake.key, "untouched");
}

static void
test_good_ones(void **state)
{
	struct handshake h;

	(void)state;
	expect_upgrade(GOOD, &h);
	assert_false(h.wants_lurkbot_v1);
	assert_int_equal(h.deflate, EXTENSIONS_NONE);
	expect_upgrade(START
	    "upgrade: h2c, WebSocket\r\nCONNECTION: keep-alive , upgrade\r\n" VERSION KEY,
	    &h);
	expect_upgrade(
	    START "Upgrade: WEBSOCKET\r\nConnection: a\r\nConnection: Upgrade\r\n" KEY VERSION, &h);
	expect_upgrade(GOOD "Content-Length: 0\r\nOrigin: null\r\n", &h);
}

static void
test_plain_requests(void **state)
{
	(void)state;
	expect_plain(START);
	expect_plain(START VERSION KEY);
	expect_plain(START "Connection: Upgrade\r\n" VERSION KEY);
	expect_plain(START "Upgrade: h2c\r\nConnection: Upgrade\r\n");
	expect_plain(START "Upgrade: websockets\r\nConnection: Upgrade\r\n" VERSION KEY);
	expect_plain("GET /ws HTTP/1.0\r\nHost: h\r\n" UPGRADE VERSION KEY);
}

static void
test_methods_and_bodies(void **state)
{
	(void)state;
	expect_bad("POST / HTTP/1.1\r\nHost: h\r\n" UPGRADE VERSION KEY, 405, "Allow: GET\r\n");
	expect_bad("get / HTTP/1.1\r\nHost: h\r\n" UPGRADE VERSION KEY, 405, "Allow: GET\r\n");
	expect_bad(GOOD "Content-Length: 1\r\n", 400, "");
	expect_bad(GOOD "Transfer-Encoding: chunked\r\n", 400, "");
	expect_bad(START "Upgrade: websocket\r\n" VERSION KEY, 400, "");
	expect_bad(START "Upgrade: websocket\r\nConnection: close\r\n" VERSION KEY, 400, "");
}

static void
test_versions(void **state)
{
	static const char version[] = "Sec-WebSocket-Version: 13\r\n";
	static const char upgrade[] = "Upgrade: websocket\r\nConnection: Upgrade\r\n"
				      "Sec-WebSocket-Version: 13\r\n";

	(void)state;
	expect_bad(START UPGRADE KEY, 400, version);
	expect_bad(GOOD VERSION, 400, version);
	expect_bad(START UPGRADE KEY "Sec-WebSocket-Version:\r\n", 400, version);
	expect_bad(START UPGRADE KEY "Sec-WebSocket-Version: 8\r\n", 426, upgrade);
	expect_bad(START UPGRADE KEY "Sec-WebSocket-Version: 013\r\n", 426, upgrade);
	expect_bad(START UPGRADE KEY "Sec-WebSocket-Version: 13, 8\r\n", 426, upgrade);
	expect_bad(START UPGRADE KEY "Sec-WebSocket-Version: x\r\n", 426, upgrade);
}

static void
test_keys(void **state)
{
	static const char *const keys[] = { "", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ",
		"dGhlIHNhbXBsZSBub25jZQ===", "dGhlIHNhbXBsZSBub25jZ===", "dGhlIHNhbXBsZSBub25j*Q==",
		"dGhlIHNhbXBsZSBub25jZQ==x", "dGhl IHNhbXBsZSBub25jZ==", "dGhlIHNhbXBsZSBub25jZQAA",
		"dGhlIHNhbXBsZSBub25jZS1iaXRz",
		"-_hlIHNhbXBsZSBub25jZQ==", "=====================A==" };
	struct handshake handshake;
	struct http_fault fault;
	char text[300];

	(void)state;
	assert_int_equal(
	    check(START UPGRADE VERSION "Sec-WebSocket-Key: AZaz09+/AAAAAAAAAAAAAA==\r\n",
		&handshake, &fault),
	    HANDSHAKE_UPGRADE);
	expect_bad(START UPGRADE VERSION, 400, "");
	for (const char *c = "@[`{:*,-._="; *c != '\0'; c++) {
		(void)snprintf(text, sizeof(text),
		    START UPGRADE VERSION "Sec-WebSocket-Key: %cAAAAAAAAAAAAAAAAAAAAA==\r\n", *c);
		expect_bad(text, 400, "");
	}
	expect_bad(GOOD KEY, 400, "");
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		(void)snprintf(
		    text, sizeof(text), START UPGRADE VERSION "Sec-WebSocket-Key: %s\r\n", keys[i]);
		expect_bad(text, 400, "");
	}
}

static void
test_subprotocols(void **state)
{
	struct handshake h;

	(void)state;
	expect_upgrade(GOOD "Sec-WebSocket-Protocol: lurkbot.v1\r\n", &h);
	assert_true(h.wants_lurkbot_v1);
	expect_upgrade(
	    GOOD "Sec-WebSocket-Protocol: a, b\r\nsec-websocket-protocol: c,lurkbot.v1\r\n", &h);
	assert_true(h.wants_lurkbot_v1);
	expect_upgrade(GOOD "Sec-WebSocket-Protocol: Lurkbot.v1, lurkbot.v10\r\n", &h);
	assert_false(h.wants_lurkbot_v1);
	expect_bad(GOOD "Sec-WebSocket-Protocol: a b\r\n", 400, "");
	expect_bad(GOOD "Sec-WebSocket-Protocol: a/b\r\n", 400, "");
}

static void
test_extensions(void **state)
{
	static const char *const bad[] = { "", ",", " , ,", ";", "a;", "a;;b", "a=b",
		"a;b=", "a;=c", "a;b=c=d", "a b", "a;b c", "a;b=\"\"", "a;b=\"c", "a;b=\"c d\"",
		"a;b=\"c\"d", "a;b=c\"d\"", "a/b", "a;b=\"c,d\"" };
	static const char *const good[] = { "a", "a,b", "a,", ", ,a", "a,,b", "a ; b ; c = d , e",
		"x-webkit-deflate-frame", "permessage-deflate; client_max_window_bits",
		"permessage-deflate;server_max_window_bits=10",
		"permessage-deflate; server_max_window_bits=\"10\"; a, foo;a=\"b\"" };
	char text[400];
	struct handshake h;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(text, sizeof(text), GOOD "Sec-WebSocket-Extensions: %s\r\n", bad[i]);
		expect_bad(text, 400, "");
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		(void)snprintf(text, sizeof(text),
		    GOOD "Sec-WebSocket-Extensions: %s\r\nSec-WebSocket-Extensions: z\r\n",
		    good[i]);
		expect_upgrade(text, &h);
	}
	expect_upgrade(GOOD "Sec-WebSocket-Extensions: permessage-deflate; nonsense\r\n"
			    "sec-websocket-extensions: x, permessage-deflate\r\n",
	    &h);
	assert_int_equal(h.deflate, EXTENSIONS_DEFLATE);
	expect_bad(GOOD "Sec-WebSocket-Extensions: a\r\nSec-WebSocket-Extensions: ;\r\n", 400, "");
}

/* RFC 6455 section 1.3 */
static void
test_accept_key(void **state)
{
	char accept[HANDSHAKE_ACCEPT_LEN + 1];

	(void)state;
	assert_int_equal(handshake_accept_key(SPAN("dGhlIHNhbXBsZSBub25jZQ=="), accept), 0);
	assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	assert_int_not_equal(handshake_accept_key(SPAN("short"), accept), 0);
	assert_string_equal(accept, "");
}

static void
test_answer(void **state)
{
	struct handshake h;
	struct buf out = { 0 };

	(void)state;
	expect_upgrade(GOOD, &h);
	handshake_accept_write(&out, &h, NULL);
	assert_span(buf_span(&out), "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
				    "Connection: Upgrade\r\n"
				    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
	buf_reset(&out);
	handshake_accept_write(&out, &h, "lurkbot.v1");
	assert_span(buf_span(&out), "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
				    "Connection: Upgrade\r\n"
				    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
				    "Sec-WebSocket-Protocol: lurkbot.v1\r\n\r\n");
	buf_reset(&out);
	h.deflate = EXTENSIONS_DEFLATE;
	handshake_accept_write(&out, &h, NULL);
	assert_span(buf_span(&out),
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
	    "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
	    "client_no_context_takeover\r\n\r\n");
	buf_fini(&out);
	support_alloc_fail_at(1);
	handshake_accept_write(&out, &h, NULL);
	support_alloc_fail_at(0);
	assert_int_not_equal(buf_status(&out), 0);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_ones),
		cmocka_unit_test(test_plain_requests),
		cmocka_unit_test(test_methods_and_bodies),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_subprotocols),
		cmocka_unit_test(test_extensions),
		cmocka_unit_test(test_accept_key),
		cmocka_unit_test(test_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
