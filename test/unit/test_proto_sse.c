/*
 * Server-Sent Events written, and positions read.
 */
#include "support_cmocka.h"

#include <stdlib.h>
#include <string.h>

#include "proto/sse.h"

static void
writes(const char *type, const char *epoch, const char *text, const char *should)
{
	struct buf out = { 0 };

	sse_append(&out, span_cstr(type), span_cstr(epoch), 7, span_cstr(text));
	assert_int_equal(buf_status(&out), 0);
	assert_true(span_is(buf_span(&out), should));
	buf_fini(&out);
}

static void
test_events(void **state)
{
	struct buf out = { 0 };

	(void)state;
	writes("", "e", "{}", "id: e:7\ndata: {}\n\n");
	writes("hello", "e", "{}", "id: e:7\nevent: hello\ndata: {}\n\n");
	writes("", "", "{}", "data: {}\n\n");
	sse_append_comment(&out);
	assert_span(buf_span(&out), ":\n\n");
	buf_fini(&out);
}

static void
test_line_breaks(void **state)
{
	(void)state;
	writes("", "", "a\nb", "data: a\ndata: b\n\n");
	writes("", "", "a\r\nb", "data: a\ndata: b\n\n");
	writes("", "", "a\rb\r\r\nc\n\n", "data: a\ndata: b\ndata: \ndata: c\ndata: \ndata: \n\n");
	writes("", "", "\r", "data: \ndata: \n\n");
	writes("", "", "", "data: \n\n");
}

static void
test_positions(void **state)
{
	static const char *const bad[] = { "", ":", ":1", "e:", "e", "e:-1", "e:1x", "e:+1",
		"e:9223372036854775808", "e: 1" };
	struct span epoch;
	uint64_t seq;
	char large[200];

	(void)state;
	assert_true(sse_position_read(SPAN("5b1e8f0c2a77d946:1066"), &epoch, &seq));
	assert_span(epoch, "5b1e8f0c2a77d946");
	assert_int_equal(seq, 1066);
	assert_true(sse_position_read(SPAN("a:b:0"), &epoch, &seq));
	assert_span(epoch, "a:b");
	assert_int_equal(seq, 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(sse_position_read(span_cstr(bad[i]), &epoch, &seq));
	memset(large, 'e', sizeof(large));
	memcpy(large + sizeof(large) - 2, ":1", 2);
	assert_false(sse_position_read(span_make(large, sizeof(large)), &epoch, &seq));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_line_breaks),
		cmocka_unit_test(test_positions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
