/*
 * Responses written: their lines, lengths, and bodies that are left out.
 */
#include "support_cmocka.h"

#include "proto/http_response.h"
#include "support_alloc.h"

static void
test_a_whole_response(void **state)
{
	struct buf out = { 0 };

	(void)state;
	http_response_write(&out, 200, "text/plain", SPAN("hello"), true, SPAN("A: b\r\n"), false);
	assert_span(buf_span(&out), "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
				    "Content-Length: 5\r\nA: b\r\n\r\nhello");
	buf_fini(&out);
}

static void
test_closing_and_no_body(void **state)
{
	struct buf out = { 0 };

	(void)state;
	http_response_write(&out, 404, NULL, SPAN(""), false, SPAN(""), false);
	assert_span(buf_span(&out), "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n"
				    "Connection: close\r\n\r\n");
	buf_fini(&out);
}

static void
test_head_tells_the_length(void **state)
{
	struct buf out = { 0 };

	(void)state;
	http_response_write(&out, 200, "a/b", SPAN("12345678901"), true, SPAN(""), true);
	assert_span(buf_span(&out), "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n"
				    "Content-Length: 11\r\n\r\n");
	buf_fini(&out);
}

/* RFC 9110 section 8.6: no length with 1xx and 204. */
static void
test_statuses_without_length(void **state)
{
	struct buf out = { 0 };

	(void)state;
	http_response_write(&out, 204, NULL, SPAN("x"), true, SPAN(""), false);
	http_response_write(&out, 100, NULL, SPAN("x"), true, SPAN(""), false);
	assert_span(buf_span(&out), "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
	buf_fini(&out);
}

static void
test_status_texts(void **state)
{
	static const int sent[] = { 101, 200, 204, 400, 401, 403, 404, 405, 408, 413, 414, 415, 426,
		429, 431, 500, 501, 503, 504, 505 };

	(void)state;
	for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++)
		assert_string_not_equal(http_status_text(sent[i]), "Unknown");
	assert_string_equal(http_status_text(299), "Unknown");
	assert_string_equal(http_status_text(-1), "Unknown");
}

static void
test_out_of_memory(void **state)
{
	struct buf out = { 0 };

	(void)state;
	support_alloc_fail_at(1);
	http_response_write(&out, 200, "a/b", SPAN("x"), true, SPAN(""), false);
	support_alloc_fail_at(0);
	assert_int_not_equal(buf_status(&out), 0);
	buf_fini(&out);
}

static void
test_an_open_one(void **state)
{
	struct buf out = { 0 };

	(void)state;
	http_response_write_open(&out, "text/event-stream", SPAN("A: b\r\n"));
	assert_span(buf_span(&out), "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
				    "Connection: close\r\nA: b\r\n\r\n");
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_whole_response),
		cmocka_unit_test(test_closing_and_no_body),
		cmocka_unit_test(test_head_tells_the_length),
		cmocka_unit_test(test_statuses_without_length),
		cmocka_unit_test(test_status_texts),
		cmocka_unit_test(test_out_of_memory),
		cmocka_unit_test(test_an_open_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
