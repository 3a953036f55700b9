/*
 * Bodies of requests: what is content, where they end, and what is refused; each whole and byte by byte.
 */
#include "support_cmocka.h"

#include <stdlib.h>
#include <string.h>

#include "proto/httpbody.h"
#include "support_alloc.h"

/* Feeds the text in pieces of `step` bytes; the verdict, and how many bytes it took. */
static enum httpbody_verdict
feed(struct httpbody *body, struct span text, size_t step, struct buf *content, size_t *ret_used)
{
	enum httpbody_verdict verdict = HTTPBODY_MORE;
	size_t at = 0;

	while (at < text.n && verdict == HTTPBODY_MORE) {
		size_t n = min_size(step, text.n - at), used = 0;

		verdict = httpbody_take(body, text.p + at, n, content, &used);
		assert_true(used <= n);
		if (verdict == HTTPBODY_MORE)
			assert_int_equal(used, n);
		at += used;
	}
	*ret_used = at;
	return verdict;
}

static void
expect(const char *text, bool chunked, uint64_t length, uint64_t limit,
    enum httpbody_verdict should, const char *content, const char *rest)
{
	for (size_t step = 1; step <= strlen(text) + 1; step++) {
		struct httpbody body;
		struct buf got = { 0 };
		size_t used = 0;

		httpbody_init(&body, chunked, length, limit);
		assert_int_equal(feed(&body, span_cstr(text), step, &got, &used), should);
		if (content != NULL)
			assert_true(span_is(buf_span(&got), content));
		if (rest != NULL)
			assert_string_equal(text + used, rest);
		if (should == HTTPBODY_BAD)
			assert_non_null(body.what);
		buf_fini(&got);
	}
}

static void
test_of_known_length(void **state)
{
	(void)state;
	expect("helloGET /", false, 5, 5, HTTPBODY_DONE, "hello", "GET /");
	expect("hell", false, 5, 5, HTTPBODY_MORE, "hell", "");
	expect("h", false, 1, 100, HTTPBODY_DONE, "h", "");
	expect("hello", false, 5, 4, HTTPBODY_TOO_LARGE, "", NULL);
	expect("GET /", false, 0, 4, HTTPBODY_DONE, "", "GET /");
}

static void
test_chunks(void **state)
{
	static const struct {
		const char *text, *content, *rest;
	} good[] = {
		{ "0\r\n\r\nGET", "", "GET" },
		{ "5\r\nhello\r\n0\r\n\r\nG", "hello", "G" },
		{ "5\r\nhello\r\n00006\r\n world\r\n000\r\n\r\n", "hello world", "" },
		{ "b\r\nhello\r\nword\r\n0\r\n\r\n", "hello\r\nword", "" },
		{ "B\r\nhello\r\nword\r\n0\r\n\r\n", "hello\r\nword", "" },
		{ "1;a\r\nx\r\n1 ;b=\"c;d\" \t;e\r\ny\r\n0;z\r\n\r\n", "xy", "" },
		{ "1\r\nx\r\n0\r\nA: b\r\nC:\r\nd-e:\t\xc3\xa4 \r\n\r\nrest", "x", "rest" },
		{ "0000000000000001\r\nx\r\n0\r\n\r\n", "x", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		expect(good[i].text, true, 0, 100, HTTPBODY_DONE, good[i].content, good[i].rest);
	expect("5\r\nhello\r\n0\r\n\r", true, 0, 100, HTTPBODY_MORE, "hello", "");
}

static void
test_no_chunks(void **state)
{
	static const char *const bad[] = { "\r\n", "g\r\n", "-1\r\n", "+1\r\n", "0x1\r\n", " 1\r\n",
		"1\n", "1\rx", "1 x\r\n", "1 \r\n", "1;a\n", "1;a\rb", "1;\x01\r\n",
		"1;\xc3\xa4\r\n", "1\r\nxy", "1\r\nx\n", "1\r\nx\ry", "1\r\nx0\r\n",
		"1\r\nx\r\n\r\n", "0\r\nx\r\n", "0\r\n x: y\r\n", "0\r\n: y\r\n", "0\r\nx : y\r\n",
		"0\r\nx: y\n", "0\r\nx: \x01\r\n", "0\r\n\n", "0\r\n\rx", "0\r\nx: y\r\n\n",
		"00000000000000000\r\n", "10000000000000000\r\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		expect(bad[i], true, 0, 100, HTTPBODY_BAD, NULL, NULL);
}

static void
test_limits(void **state)
{
	char text[2 * HTTPBODY_OVERHEAD_MAX];
	struct httpbody body;
	struct buf content = { 0 };
	size_t used;

	(void)state;
	expect("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", true, 0, 5, HTTPBODY_DONE, "abcde", "");
	expect("3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n", true, 0, 5, HTTPBODY_TOO_LARGE, "abc", NULL);
	expect("ffffffffffffffff\r\n", true, 0, UINT64_MAX - 1, HTTPBODY_TOO_LARGE, "", NULL);
	memset(text, 'x', sizeof(text));
	memcpy(text, "1;", 2);
	httpbody_init(&body, true, 0, 10);
	assert_int_equal(
	    feed(&body, span_make(text, sizeof(text)), 100, &content, &used), HTTPBODY_BAD);
	assert_true(used <= HTTPBODY_OVERHEAD_MAX + 100);
	memcpy(text, "0\r\nx:", 5);
	httpbody_init(&body, true, 0, 10);
	assert_int_equal(
	    feed(&body, span_make(text, sizeof(text)), 100, &content, &used), HTTPBODY_BAD);
	buf_fini(&content);
}

static void
test_no_memory(void **state)
{
	struct httpbody body;
	struct buf content = { 0 };
	size_t used;

	(void)state;
	httpbody_init(&body, true, 0, 10);
	support_alloc_fail_at(1);
	assert_int_equal(httpbody_take(&body, "1\r\nx", 4, &content, &used), HTTPBODY_NOMEM);
	support_alloc_fail_at(0);
	buf_fini(&content);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_of_known_length),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_no_chunks),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
