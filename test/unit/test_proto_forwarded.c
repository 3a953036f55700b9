/*
 * X-Forwarded-For: the nearest address that no trusted proxy has, however the list is cut into fields.
 */
#include "support_cmocka.h"

#include "proto/forwarded.h"

static const char *const trusted[] = { "127.0.0.1", "10.0.0.0/8", "2001:db8::/32", "nonsense" };

static enum forwarded_verdict
find(const char *first, const char *second, struct ip *ret)
{
	struct http_head head = { .header_count = 2 };

	head.headers[0] = (struct http_header){ SPAN("X-Forwarded-For"), span_cstr(first) };
	head.headers[1] = (struct http_header){ SPAN("x-forwarded-for"), span_cstr(second) };
	if (*second == '\0')
		head.headers[1] = (struct http_header){ SPAN("Forwarded"), SPAN("for=1.2.3.4") };
	return forwarded_find(&head, trusted, ARRAY_LEN(trusted), ret);
}

static void
clients(void **state)
{
	static const struct {
		const char *first, *second, *client;
	} rows[] = {
		{ "192.0.2.1", "", "192.0.2.1" },
		{ "198.51.100.9, 192.0.2.1", "", "192.0.2.1" },
		{ "198.51.100.9,192.0.2.1 , 10.1.2.3", "", "192.0.2.1" },
		{ "198.51.100.9, 192.0.2.1", "10.1.2.3,, 2001:db8::7 ,", "192.0.2.1" },
		{ "forged nonsense, 192.0.2.1", "", "192.0.2.1" },
		{ "192.0.2.1:8080", "", "192.0.2.1" },
		{ "[2001:db9::1]:8080", "", "2001:db9::1" },
		{ "[2001:db9::1]", "", "2001:db9::1" },
		{ "2001:db9::1", "", "2001:db9::1" },
		{ "::ffff:192.0.2.1", "::ffff:10.0.0.1", "192.0.2.1" },
		{ "10.0.0.7, 127.0.0.1", "", "10.0.0.7" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ip got, wanted;

		assert_int_equal(ip_parse(span_cstr(rows[i].client), &wanted), 0);
		assert_int_equal(find(rows[i].first, rows[i].second, &got), FORWARDED_CLIENT);
		if (!ip_is_equal(&got, &wanted))
			fail_msg("%s | %s", rows[i].first, rows[i].second);
	}
}

static void
nobody(void **state)
{
	struct ip none;

	(void)state;
	assert_int_equal(find("", "", &none), FORWARDED_NONE);
	assert_int_equal(find(" , ,", "", &none), FORWARDED_NONE);
}

static void
unreadable(void **state)
{
	static const char *const bad[] = { "unknown", "_hidden", "192.0.2.1, unknown", "192.0.2.1.",
		"[::1", "[]", "[::1]x", ":80", "::1::", "1.2.3.4.5", "192.0.2.1, evil, 10.0.0.1",
		"\"192.0.2.1\"", "for=192.0.2.1" };
	struct ip none;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (find(bad[i], "", &none) != FORWARDED_BAD)
			fail_msg("%s", bad[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients),
		cmocka_unit_test(nobody),
		cmocka_unit_test(unreadable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
