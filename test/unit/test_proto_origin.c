/*
 * The Origin rule: own host and port, listed ones, and nothing that merely looks like them.
 */
#include "support_cmocka.h"

#include "proto/origin.h"

static const char *const allowed[] = { "https://app.example.org", "http://localhost:3000",
	"tauri://localhost", "no origin", "http://x.example/", "" };

static void
expect(const char *origin, const char *host, bool tls, enum origin_verdict expected)
{
	enum origin_verdict verdict = origin_check(
	    span_cstr(origin), span_cstr(host), allowed, sizeof(allowed) / sizeof(allowed[0]), tls);

	if (verdict != expected)
		fail_msg("%s at %s: %d instead of %d", origin, host, verdict, expected);
}

static void
test_own(void **state)
{
	(void)state;
	expect("http://127.0.0.1:18789", "127.0.0.1:18789", false, ORIGIN_OWN);
	expect("HTTP://LocalHost:18789", "localhost:18789", false, ORIGIN_OWN);
	expect("http://[::1]:18789", "[::1]:18789", false, ORIGIN_OWN);
	expect("https://a.example:1", "a.example:1", true, ORIGIN_OWN);
}

static void
test_default_ports(void **state)
{
	(void)state;
	expect("http://h", "h:80", false, ORIGIN_OWN);
	expect("http://h:80", "h", false, ORIGIN_OWN);
	expect("http://h:", "h", false, ORIGIN_OWN);
	expect("https://h", "h:443", true, ORIGIN_OWN);
	expect("https://h:443", "h", true, ORIGIN_OWN);
	expect("http://h", "h:443", false, ORIGIN_REFUSED);
	expect("http://h:443", "h", false, ORIGIN_REFUSED);
}

static void
test_listed(void **state)
{
	(void)state;
	expect("https://app.example.org", "127.0.0.1:18789", false, ORIGIN_LISTED);
	expect("https://APP.example.org:443", "127.0.0.1:18789", false, ORIGIN_LISTED);
	expect("http://localhost:3000", "127.0.0.1:18789", true, ORIGIN_LISTED);
	expect("tauri://localhost", "127.0.0.1:18789", true, ORIGIN_LISTED);
	expect("http://localhost:3000", "not a host", false, ORIGIN_LISTED);
}

static void
test_refused(void **state)
{
	static const char *const foreign[] = { "null", "", "https://127.0.0.1:18789",
		"http://127.0.0.1:18788", "http://127.0.0.1", "http://127.0.0.1:187890",
		"http://127.0.0.1:18789.evil.example", "http://127.0.0.1:18789/",
		"http://evil@127.0.0.1:18789", "http://localhost:18789", "http://evil.example",
		"http://app.example.org", "https://app.example.org.evil.example",
		"https://xapp.example.org", "https://app.example.org:444", "http://localhost:30000",
		"tauri://localhost:80", "no origin", "http://x.example", "http://x.example/",
		"127.0.0.1:18789", "http://127.0.0.1:18789 http://127.0.0.1:18789",
		"ws://127.0.0.1:18789" };

	(void)state;
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		expect(foreign[i], "127.0.0.1:18789", false, ORIGIN_REFUSED);
	expect("http://h", "", false, ORIGIN_REFUSED);
	assert_int_equal(origin_check(SPAN("http://a"), SPAN("b"), NULL, 0, false), ORIGIN_REFUSED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_default_ports),
		cmocka_unit_test(test_listed),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
