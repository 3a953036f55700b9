/*
 * The causes: each has a name of its own and words for people, and what ends a connection by way of HTTP, of
 * the socket or of a hello has its cause.
 */
#include "support_cmocka.h"

#include <errno.h>
#include <string.h>

#include "gateway/causes.h"

static void
each_has_a_name_and_words(void **state)
{
	(void)state;
	for (unsigned i = 0; i < LEDGER_CAUSES; i++) {
		const struct cause *cause = cause_at(i);

		assert_non_null(cause->name);
		assert_ptr_equal(cause_by_name(span_cstr(cause->name)), cause);
		assert_string_equal(cause_name(i), cause->name);
		assert_true(strlen(cause->what) > 0);
		assert_true(cause->limit == NULL || strncmp(cause->limit, "gateway.", 8) == 0);
		assert_true(i == LEDGER_HTTP || cause->advice[strlen(cause->advice) - 1] == '.');
	}
	assert_ptr_equal(cause_at(LEDGER_CAUSES), cause_at(LEDGER_UNKNOWN));
	assert_null(cause_by_name(SPAN("no-such-cause")));
}

static void
of_http(void **state)
{
	(void)state;
	assert_int_equal(cause_of_http(200), LEDGER_HTTP);
	assert_int_equal(cause_of_http(503), LEDGER_HTTP);
	assert_int_equal(cause_of_http(401), LEDGER_UNAUTHORIZED);
	assert_int_equal(cause_of_http(403), LEDGER_HTTP_REFUSED);
	assert_int_equal(cause_of_http(408), LEDGER_HANDSHAKE_TIMEOUT);
	assert_int_equal(cause_of_http(413), LEDGER_HTTP_REFUSED);
	assert_int_equal(cause_of_http(431), LEDGER_HEAD_TOO_BIG);
	assert_int_equal(cause_of_http(429), LEDGER_RATE);
}

static void
of_streams_and_hellos(void **state)
{
	(void)state;
	assert_int_equal(cause_of_stream(-ECONNRESET), LEDGER_VANISHED);
	assert_int_equal(cause_of_stream(-EPIPE), LEDGER_VANISHED);
	assert_int_equal(cause_of_stream(-ETIMEDOUT), LEDGER_VANISHED);
	assert_int_equal(cause_of_stream(-EPROTO), LEDGER_SOCKET_ERROR);
	assert_int_equal(cause_of_stream(-ENOMEM), LEDGER_INTERNAL);
	assert_int_equal(cause_of_refusal(NULL), LEDGER_HELLO_REFUSED);
	assert_int_equal(cause_of_refusal("protocol-mismatch"), LEDGER_HELLO_REFUSED);
	assert_int_equal(cause_of_refusal("unauthorized"), LEDGER_UNAUTHORIZED);
	assert_int_equal(cause_of_refusal("rate-limited"), LEDGER_RATE);
	assert_int_equal(cause_of_refusal("hello-timeout"), LEDGER_HANDSHAKE_TIMEOUT);
	assert_int_equal(cause_of_refusal("out-of-memory"), LEDGER_INTERNAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_has_a_name_and_words),
		cmocka_unit_test(of_http),
		cmocka_unit_test(of_streams_and_hellos),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
