/*
 * Offers of permessage-deflate, taken and declined (RFC 7692 section 7.1). The grammar alone is looked at
 * through the handshake, in test_proto_handshake.c.
 */
#include "support_cmocka.h"

#include <string.h>

#include "base/macros.h"
#include "proto/extensions.h"

static const struct {
	const char *list;
	enum extensions_deflate deflate;
} cases[] = {
	{ "permessage-deflate", EXTENSIONS_DEFLATE },
	{ "permessage-deflate; client_max_window_bits", EXTENSIONS_DEFLATE },
	{ "permessage-deflate; client_max_window_bits=8", EXTENSIONS_DEFLATE },
	{ "permessage-deflate; client_max_window_bits=\"15\"", EXTENSIONS_DEFLATE },
	{ "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
	    EXTENSIONS_DEFLATE },
	{ "permessage-deflate ;\tserver_max_window_bits = 15", EXTENSIONS_DEFLATE_15 },
	{ "permessage-deflate; server_max_window_bits=\"15\"; client_max_window_bits=9",
	    EXTENSIONS_DEFLATE_15 },
	/* declined */
	{ "x-webkit-deflate-frame", EXTENSIONS_NONE },
	{ "Permessage-Deflate", EXTENSIONS_NONE },
	{ "permessage-deflate; x", EXTENSIONS_NONE },
	{ "permessage-deflate; x=1", EXTENSIONS_NONE },
	{ "permessage-deflate; client_max_window_bits; client_max_window_bits", EXTENSIONS_NONE },
	{ "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
	    EXTENSIONS_NONE },
	{ "permessage-deflate; server_no_context_takeover=1", EXTENSIONS_NONE },
	{ "permessage-deflate; client_no_context_takeover=true", EXTENSIONS_NONE },
	{ "permessage-deflate; server_max_window_bits", EXTENSIONS_NONE },
	{ "permessage-deflate; server_max_window_bits=14", EXTENSIONS_NONE },
	{ "permessage-deflate; server_max_window_bits=8", EXTENSIONS_NONE },
	{ "permessage-deflate; server_max_window_bits=16", EXTENSIONS_NONE },
	{ "permessage-deflate; server_max_window_bits=015", EXTENSIONS_NONE },
	{ "permessage-deflate; client_max_window_bits=7", EXTENSIONS_NONE },
	{ "permessage-deflate; client_max_window_bits=16", EXTENSIONS_NONE },
	{ "permessage-deflate; client_max_window_bits=08", EXTENSIONS_NONE },
	{ "permessage-deflate; client_max_window_bits=100", EXTENSIONS_NONE },
	{ "permessage-deflate; client_max_window_bits=1x", EXTENSIONS_NONE },
	/* the next one is tried, and the first that fits is the one */
	{ "permessage-deflate; server_max_window_bits=10, permessage-deflate", EXTENSIONS_DEFLATE },
	{ "permessage-deflate; x, a; b, permessage-deflate; server_max_window_bits=15",
	    EXTENSIONS_DEFLATE_15 },
	{ "permessage-deflate, permessage-deflate; server_max_window_bits=15", EXTENSIONS_DEFLATE },
};

static void
test_offers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum extensions_deflate found = EXTENSIONS_NONE;

		assert_true(extensions_read(span_cstr(cases[i].list), &found));
		if (found != cases[i].deflate)
			fail_msg("%s: %d", cases[i].list, (int)found);
	}
}

/* What an earlier field gave stays, and a malformed one sets nothing. */
static void
test_fields(void **state)
{
	enum extensions_deflate found = EXTENSIONS_NONE;

	(void)state;
	assert_false(extensions_read(SPAN("permessage-deflate, a;"), &found));
	assert_int_equal(found, EXTENSIONS_NONE);
	assert_true(extensions_read(SPAN("permessage-deflate; server_max_window_bits=15"), &found));
	assert_true(extensions_read(SPAN("permessage-deflate"), &found));
	assert_int_equal(found, EXTENSIONS_DEFLATE_15);
	assert_false(extensions_read(SPAN(""), &found));
}

static void
test_answers(void **state)
{
	(void)state;
	assert_null(extensions_answer(EXTENSIONS_NONE));
	assert_string_equal(extensions_answer(EXTENSIONS_DEFLATE),
	    "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
	assert_string_equal(extensions_answer(EXTENSIONS_DEFLATE_15),
	    "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
	    "server_max_window_bits=15");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offers),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
