/*
 * Request heads. Every case is read whole and in every prefix, each ending at a page that nobody
 * may touch: until the bytes decide, the verdict is PARTIAL, and from then on it never changes.
 */
#include "support_cmocka.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "proto/http.h"
#include "support_guard.h"

#define GET	  "GET / HTTP/1.1\r\n"
#define HOST	  "Host: h\r\n"
#define GET_HOST  GET HOST
#define POST_HOST "POST / HTTP/1.1\r\n" HOST

enum { TEXT_MAX = 2 * HTTP_HEAD_MAX };

struct outcome {
	enum http_verdict verdict;
	struct http_head head;
	size_t used;
	struct http_fault fault;
};

static struct guard guard;

static int
open_guard(void **state)
{
	(void)state;
	support_guard_init(&guard, TEXT_MAX);
	return 0;
}

static int
close_guard(void **state)
{
	(void)state;
	support_guard_fini(&guard);
	return 0;
}

static void
parse(struct span text, struct outcome *ret)
{
	char *data = support_guard_put(&guard, text);

	memset(ret, 0x5a, sizeof(*ret));
	ret->verdict = http_head_parse(data, text.n, &ret->head, &ret->used, &ret->fault);
}

/* What comes out whole, after making sure that all prefixes agree with it. */
static void
parse_all_ways(struct span text, struct outcome *ret)
{
	size_t step = text.n > 2000 ? 97 : 1, scanned = 0;
	bool decided = false, was_due = false;
	struct outcome part;

	for (size_t n = 0; n < text.n; n += step) {
		parse(span_make(text.p, n), &part);
		was_due = http_head_is_due(text.p, n, &scanned) || was_due;
		assert_true(!decided || part.verdict != HTTP_PARTIAL);
		assert_true(part.verdict != HTTP_HEAD || was_due);
		if (part.verdict == HTTP_PARTIAL)
			continue;
		parse(text, ret);
		assert_int_equal(part.verdict, ret->verdict);
		if (part.verdict == HTTP_BAD)
			assert_ptr_equal(part.fault.text, ret->fault.text);
		else
			assert_int_equal(part.used, ret->used);
		decided = true;
	}
	parse(text, ret);
}

static void
expect_head(struct span text, struct outcome *ret)
{
	parse_all_ways(text, ret);
	if (ret->verdict != HTTP_HEAD)
		fail_msg("%s instead of a head for %.60s",
		    ret->verdict == HTTP_BAD ? ret->fault.text : "partial", text.p);
}

static void
expect_bad(struct span text, int status)
{
	struct outcome outcome;

	parse_all_ways(text, &outcome);
	if (outcome.verdict != HTTP_BAD || outcome.fault.status != status)
		fail_msg("verdict %d, status %d instead of %d for %.60s", outcome.verdict,
		    outcome.verdict == HTTP_BAD ? outcome.fault.status : 0, status, text.p);
	assert_non_null(outcome.fault.text);
	assert_string_equal(outcome.fault.header_lines, "");
	assert_int_equal(outcome.used, (size_t)0x5a5a5a5a5a5a5a5a);
}

static void
test_an_ordinary_request(void **state)
{
	struct span text = SPAN("GET /a/b?c=d HTTP/1.1\r\nHost: example.org:80\r\n"
				"X-One:  two words \t\r\nempty:\r\nX-ONE:\xe4\t!\r\n\r\nnext");
	struct outcome o;

	(void)state;
	expect_head(text, &o);
	assert_int_equal(o.used, text.n - 4);
	assert_span(o.head.method, "GET");
	assert_span(o.head.target, "/a/b?c=d");
	assert_span(o.head.path, "/a/b");
	assert_span(o.head.query, "c=d");
	assert_span(o.head.host, "example.org:80");
	assert_int_equal(o.head.minor, 1);
	assert_int_equal(o.head.header_count, 4);
	assert_true(o.head.keep_alive);
	assert_false(o.head.has_body || o.head.chunked);
	assert_span(http_head_find(&o.head, "x-one")->value, "two words");
	assert_span(http_head_find(&o.head, "EMPTY")->value, "");
	assert_span(o.head.headers[3].value, "\xe4\t!");
	assert_null(http_head_find(&o.head, "x-on"));
	assert_int_equal(http_head_count(&o.head, "x-one"), 2);
	assert_int_equal(http_head_count(&o.head, "x-two"), 0);
}

static void
test_versions(void **state)
{
	struct outcome o;

	(void)state;
	expect_head(SPAN("GET / HTTP/1.0\r\n\r\n"), &o);
	assert_int_equal(o.head.minor, 0);
	assert_false(o.head.keep_alive);
	assert_int_equal(o.head.host.n, 0);
	expect_head(SPAN("GET / HTTP/1.0\r\nConnection: keep-alive\r\nHost: a\r\n\r\n"), &o);
	assert_false(o.head.keep_alive);
	assert_span(o.head.host, "a");
	expect_head(SPAN("GET / HTTP/1.7\r\n" HOST "\r\n"), &o);
	assert_int_equal(o.head.minor, 1);
	assert_true(o.head.keep_alive);
	expect_head(SPAN("GET / HTTP/1.9\r\n" HOST "\r\n"), &o);
	expect_bad(SPAN("GET / HTTP/9.9\r\n"), 505);
	expect_bad(SPAN("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
	expect_bad(SPAN("GET / HTTP/2.0\r\n"), 505);
	expect_bad(SPAN("GET / HTTP/0.9\r\n"), 505);
	expect_bad(SPAN("GET / HTTP/3"), 505);
	expect_bad(SPAN("GET /\r\n"), 400);
	expect_bad(SPAN("GET / \r\n"), 400);
	expect_bad(SPAN("GET / http/1.1\r\n"), 400);
	expect_bad(SPAN("GET / HTTP/1.10\r\n"), 400);
	expect_bad(SPAN("GET / HTTP/1.\r\n"), 400);
	expect_bad(SPAN("GET / HTTP/11\r\n"), 400);
	expect_bad(SPAN("GET / HTTP/x.1\r\n"), 400);
	expect_bad(SPAN("GET / HTTP/1.1 \r\n"), 400);
	expect_bad(SPAN("GET / FTP/1.1\r\n"), 400);
}

static void
test_request_lines(void **state)
{
	struct outcome o;

	(void)state;
	expect_head(SPAN("\r\n" GET_HOST "\r\n"), &o);
	assert_int_equal(o.used, 2 + sizeof(GET_HOST) + 1);
	expect_head(SPAN("M-SEARCH /x HTTP/1.1\r\n" HOST "\r\n"), &o);
	assert_span(o.head.method, "M-SEARCH");
	expect_bad(SPAN("\r\n\r\n" GET_HOST "\r\n"), 400);
	expect_bad(SPAN("\n" GET_HOST "\r\n"), 400);
	expect_bad(SPAN("\rGET"), 400);
	expect_bad(SPAN(" GET / HTTP/1.1\r\n"), 400);
	expect_bad(SPAN("GET  / HTTP/1.1\r\n"), 400);
	expect_bad(SPAN("GET /  HTTP/1.1\r\n"), 400);
	expect_bad(SPAN("GET\t/ HTTP/1.1\r\n"), 400);
	expect_bad(SPAN("GET /\tHTTP/1.1\r\n"), 400);
	expect_bad(SPAN("G(T / HTTP/1.1\r\n"), 400);
	expect_bad(SPAN("GET /a b HTTP/1.1\r\n"), 400);
	expect_bad(SPAN("GET /\x01 HTTP/1.1\r\n"), 400);
	expect_bad(SPAN("GET /\xff HTTP/1.1\r\n"), 400);
	expect_bad(SPAN("GET / HTTP/1.1\n" HOST "\r\n"), 400);
	expect_bad(SPAN("GET / HTTP/1.1\rX"), 400);
	expect_bad(SPAN("GET / HTTP/1.1\r\r\n"), 400);
	expect_bad(SPAN("\x16\x03\x01\x02"), 400);
	expect_bad(SPAN("\0"), 400);
}

static void
test_target_forms(void **state)
{
	struct outcome o;

	(void)state;
	expect_head(SPAN("GET http://other:81/p?q HTTP/1.1\r\n" HOST "\r\n"), &o);
	assert_span(o.head.host, "other:81");
	assert_span(o.head.path, "/p");
	assert_span(o.head.query, "q");
	expect_head(SPAN("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), &o);
	assert_span(o.head.path, "*");
	expect_bad(SPAN("GET http://other/ HTTP/1.1\r\n\r\n"), 400);
	expect_bad(SPAN("GET * HTTP/1.1\r\n"), 400);
	expect_bad(SPAN("GET a HTTP/1.1\r\n"), 400);
	expect_bad(SPAN("GET /%0 HTTP/1.1\r\n"), 400);
	expect_bad(SPAN("GET /#a HTTP/1.1\r\n"), 400);
	expect_bad(SPAN("GET http://u@h/ HTTP/1.1\r\n"), 400);
	expect_bad(SPAN("CONNECT h:80 HTTP/1.1\r\n"), 501);
}

static void
test_hosts(void **state)
{
	struct outcome o;

	(void)state;
	expect_head(SPAN(GET "hOST:[::1]:18789\r\n\r\n"), &o);
	assert_span(o.head.host, "[::1]:18789");
	expect_bad(SPAN(GET "\r\n"), 400);
	expect_bad(SPAN(GET HOST HOST "\r\n"), 400);
	expect_bad(SPAN(GET "Host: a\r\nhost: b\r\n\r\n"), 400);
	expect_bad(SPAN(GET "Host:\r\n\r\n"), 400);
	expect_bad(SPAN(GET "Host: a b\r\n\r\n"), 400);
	expect_bad(SPAN(GET "Host: a,b:80:80\r\n\r\n"), 400);
	expect_bad(SPAN(GET "Host: u@a\r\n\r\n"), 400);
	expect_bad(SPAN(GET "Host: a/b\r\n\r\n"), 400);
	expect_bad(SPAN(GET "Host: a:99999\r\n\r\n"), 400);
	expect_bad(SPAN("GET / HTTP/1.0\r\n" HOST HOST "\r\n"), 400);
	expect_bad(SPAN("GET / HTTP/1.0\r\nHost: ?\r\n\r\n"), 400);
}

static void
test_field_lines(void **state)
{
	(void)state;
	expect_bad(SPAN(GET_HOST "A : b\r\n\r\n"), 400);
	expect_bad(SPAN(GET_HOST "A\t: b\r\n\r\n"), 400);
	expect_bad(SPAN(GET_HOST "A b: c\r\n\r\n"), 400);
	expect_bad(SPAN(GET_HOST "A: b\r\n c\r\n\r\n"), 400);
	expect_bad(SPAN(GET_HOST "A: b\r\n\tc\r\n\r\n"), 400);
	expect_bad(SPAN(GET " Host: h\r\n\r\n"), 400);
	expect_bad(SPAN(GET_HOST ": b\r\n\r\n"), 400);
	expect_bad(SPAN(GET_HOST "A\r\n\r\n"), 400);
	expect_bad(SPAN(GET_HOST "A\n\r\n"), 400);
	expect_bad(SPAN(GET_HOST "A: b\n\r\n"), 400);
	expect_bad(SPAN(GET_HOST "A: b\r\n\n"), 400);
	expect_bad(SPAN(GET_HOST "\n"), 400);
	expect_bad(SPAN(GET_HOST "\rA"), 400);
	expect_bad(SPAN(GET_HOST "A: b\rc\r\n\r\n"), 400);
	expect_bad(SPAN(GET_HOST "A: b\r\r\n\r\n"), 400);
	expect_bad(SPAN(GET_HOST "A: b\0c\r\n\r\n"), 400);
	expect_bad(SPAN(GET_HOST "A: b\x0b\r\n\r\n"), 400);
	expect_bad(SPAN(GET_HOST "A: b\x7f\r\n\r\n"), 400);
	expect_bad(SPAN(GET_HOST "A\0: b\r\n\r\n"), 400);
	expect_bad(SPAN(GET_HOST "A\x80: b\r\n\r\n"), 400);
	expect_bad(SPAN(GET_HOST "\"A\": b\r\n\r\n"), 400);
}

static void
test_bodies(void **state)
{
	struct outcome o;

	(void)state;
	expect_head(SPAN(POST_HOST "Content-Length: 42\r\n\r\n"), &o);
	assert_true(o.head.has_body && !o.head.chunked);
	assert_int_equal(o.head.content_length, 42);
	expect_head(SPAN(POST_HOST "content-length:0\r\n\r\n"), &o);
	assert_false(o.head.has_body);
	expect_head(SPAN(POST_HOST "Content-Length: 9223372036854775807\r\n\r\n"), &o);
	assert_true(o.head.content_length == INT64_MAX);
	expect_head(SPAN(POST_HOST "Transfer-Encoding: chunked\r\n\r\n"), &o);
	assert_true(o.head.has_body && o.head.chunked);
	assert_int_equal(o.head.content_length, 0);
	expect_head(SPAN(POST_HOST "Transfer-Encoding:CHUNKED \r\n\r\n"), &o);
	assert_true(o.head.chunked);
}

/* Pairs that two servers might frame differently, and what hides a length from one of them. */
static void
test_smuggling(void **state)
{
	static const char *const lengths[] = { "", " ", "+5", "-5", "5 5", "5,5", "5, 5", "0x5",
		"5.0", "5;", "five", "\t5a", "\xb5" };
	static const char *const codings[] = { "", "identity", "xchunked", "chunked;a=b",
		"chunked, chunked", "chunked, gzip", "\"chunked\"", "chunked chunked",
		"chunk\351d" };
	char text[200];

	(void)state;
	expect_bad(SPAN(POST_HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
	expect_bad(SPAN(POST_HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"), 400);
	expect_bad(SPAN(POST_HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"), 400);
	expect_bad(SPAN(POST_HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"), 400);
	expect_bad(SPAN(POST_HOST "Content-Length : 5\r\n\r\n"), 400);
	expect_bad(SPAN(POST_HOST "Content-Length: 9223372036854775808\r\n\r\n"), 413);
	expect_bad(SPAN(POST_HOST "Content-Length: 99999999999999999999999999\r\n\r\n"), 413);
	expect_bad(SPAN(POST_HOST "Transfer-Encoding: chunked\r\n"
				  "Transfer-Encoding: chunked\r\n\r\n"),
	    400);
	expect_bad(SPAN(POST_HOST "Transfer-Encoding: chunked\r\n"
				  "Transfer-Encoding: identity\r\n\r\n"),
	    400);
	expect_bad(SPAN(POST_HOST "Transfer-Encoding: gzip, chunked\r\n\r\n"), 501);
	expect_bad(SPAN(POST_HOST "Transfer-Encoding: x\r\n\tchunked\r\n\r\n"), 400);
	expect_bad(SPAN(POST_HOST "Transfer-Encoding: \x0b"
				  "chunked\r\n\r\n"),
	    400);
	expect_bad(SPAN("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		(void)snprintf(
		    text, sizeof(text), POST_HOST "Content-Length:%s\r\n\r\n", lengths[i]);
		expect_bad(span_cstr(text), 400);
	}
	for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++) {
		(void)snprintf(
		    text, sizeof(text), POST_HOST "Transfer-Encoding: %s\r\n\r\n", codings[i]);
		expect_bad(span_cstr(text), 400);
	}
}

static void
test_keep_alive(void **state)
{
	struct outcome o;

	(void)state;
	expect_head(SPAN(GET_HOST "Connection: close\r\n\r\n"), &o);
	assert_false(o.head.keep_alive);
	expect_head(SPAN(GET_HOST "Connection: a, ,CLOSE ,b\r\n\r\n"), &o);
	assert_false(o.head.keep_alive);
	expect_head(SPAN(GET_HOST "Connection: a\r\nConnection: close\r\n\r\n"), &o);
	assert_false(o.head.keep_alive);
	expect_head(SPAN(GET_HOST "Connection: closed, x close, close=1\r\n\r\n"), &o);
	assert_true(o.head.keep_alive);
}

static void
test_limits_of_the_request_line(void **state)
{
	struct buf text = { 0 };
	struct outcome o;

	(void)state;
	for (size_t n = HTTP_METHOD_MAX; n <= HTTP_METHOD_MAX + 1; n++) {
		buf_reset(&text);
		for (size_t i = 0; i < n; i++)
			buf_append_byte(&text, 'M');
		buf_append_cstr(&text, " / HTTP/1.1\r\n" HOST "\r\n");
		if (n > HTTP_METHOD_MAX)
			expect_bad(buf_span(&text), 501);
		else
			expect_head(buf_span(&text), &o);
	}
	for (size_t n = HTTP_TARGET_MAX; n <= HTTP_TARGET_MAX + 1; n++) {
		buf_reset(&text);
		buf_append_cstr(&text, "GET /");
		for (size_t i = 1; i < n; i++)
			buf_append_byte(&text, 't');
		if (n > HTTP_TARGET_MAX)
			expect_bad(buf_span(&text), 414);
		buf_append_cstr(&text, " HTTP/1.1\r\n" HOST "\r\n");
		if (n > HTTP_TARGET_MAX)
			expect_bad(buf_span(&text), 414);
		else
			expect_head(buf_span(&text), &o);
	}
	buf_fini(&text);
}

static void
test_limits_of_the_head(void **state)
{
	struct buf text = { 0 };
	struct outcome o;
	size_t scanned;

	(void)state;
	buf_append_cstr(&text, GET_HOST);
	for (int i = 1; i < HTTP_HEADERS_MAX; i++)
		buf_printf(&text, "X-%d: %d\r\n", i, i);
	buf_append_cstr(&text, "\r\n");
	expect_head(buf_span(&text), &o);
	assert_int_equal(o.head.header_count, HTTP_HEADERS_MAX);
	text.len -= 2;
	buf_append_cstr(&text, "A");
	expect_bad(buf_span(&text), 431);

	buf_reset(&text);
	buf_append_cstr(&text, GET_HOST "X: ");
	while (text.len < HTTP_HEAD_MAX - 4)
		buf_append_byte(&text, 'x');
	buf_append_cstr(&text, "\r\n\r\n");
	assert_int_equal(text.len, HTTP_HEAD_MAX);
	expect_head(buf_span(&text), &o);
	assert_int_equal(o.used, HTTP_HEAD_MAX);
	buf_append_cstr(&text, "body");
	expect_head(buf_span(&text), &o);
	text.data[HTTP_HEAD_MAX - 4] = 'x';
	text.data[HTTP_HEAD_MAX - 3] = '\r';
	text.data[HTTP_HEAD_MAX - 2] = '\n';
	text.data[HTTP_HEAD_MAX - 1] = '\r';
	text.data[HTTP_HEAD_MAX] = '\n';
	expect_bad(buf_span(&text), 431);
	parse(span_make(text.data, HTTP_HEAD_MAX - 1), &o);
	assert_int_equal(o.verdict, HTTP_PARTIAL);
	expect_bad(span_make(text.data, HTTP_HEAD_MAX), 431);
	scanned = HTTP_HEAD_MAX - 10;
	assert_true(http_head_is_due(text.data, HTTP_HEAD_MAX, &scanned));
	buf_fini(&text);
}

/* Fed byte by byte, the question is true once for each line, and never for nothing new. */
static void
test_due_once_for_each_line(void **state)
{
	struct span text = SPAN(GET_HOST "A: b\r\nlong: \xe4\xf6\t\r\n\r\n");
	size_t scanned = 0;
	unsigned due = 0;

	(void)state;
	for (size_t n = 1; n <= text.n; n++) {
		due += http_head_is_due(text.p, n, &scanned);
		assert_false(http_head_is_due(text.p, n, &scanned));
	}
	assert_int_equal(due, 5);
	scanned = 0;
	assert_true(http_head_is_due("GET\0", 4, &scanned));
	assert_true(http_head_is_due("GET\0\x7f", 5, &scanned));
	assert_false(http_head_is_due("GET\0\x7f ", 6, &scanned));
}

static void
test_lists_and_tokens(void **state)
{
	struct span list = SPAN(" , a,b c ,\t,, d\t"), element;

	(void)state;
	assert_true(http_list_next(&list, &element));
	assert_span(element, "a");
	assert_true(http_list_next(&list, &element));
	assert_span(element, "b c");
	assert_true(http_list_next(&list, &element));
	assert_span(element, "d");
	assert_false(http_list_next(&list, &element));
	assert_true(http_header_has_token(SPAN("Upgrade,keep-alive"), "upgrade"));
	assert_false(http_header_has_token(SPAN("Upgraded, up grade"), "upgrade"));
	assert_false(http_header_has_token(SPAN(""), "upgrade"));
	assert_true(http_is_token(SPAN("!#$%&'*+-.^_`|~09azAZ")));
	assert_false(http_is_token(SPAN("")));
	for (const char *c = "\"(),/:;<=>?@[\\]{} \t\r\n\x7f\x80"; *c != '\0'; c++)
		assert_false(http_is_token(span_make(c, 1)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_ordinary_request),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_request_lines),
		cmocka_unit_test(test_target_forms),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_field_lines),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_smuggling),
		cmocka_unit_test(test_keep_alive),
		cmocka_unit_test(test_limits_of_the_request_line),
		cmocka_unit_test(test_limits_of_the_head),
		cmocka_unit_test(test_due_once_for_each_line),
		cmocka_unit_test(test_lists_and_tokens),
	};

	return cmocka_run_group_tests(tests, open_guard, close_guard);
}
