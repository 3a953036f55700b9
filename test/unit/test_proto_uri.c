/*
 * Host and port, request targets, origins and percent-encoding: what is taken, how it is split,
 * and what is refused.
 */
#include "support_cmocka.h"

#include <errno.h>
#include <string.h>

#include "proto/uri.h"

static void
expect_authority(const char *text, const char *host, int port)
{
	struct uri_authority authority;

	assert_int_equal(uri_authority_parse(span_cstr(text), &authority), 0);
	assert_true(span_is(authority.host, host));
	assert_int_equal(authority.port, port);
}

static void
test_authorities(void **state)
{
	(void)state;
	expect_authority("localhost", "localhost", URI_PORT_NONE);
	expect_authority("localhost:18789", "localhost", 18789);
	expect_authority("127.0.0.1:0", "127.0.0.1", 0);
	expect_authority("a:65535", "a", 65535);
	expect_authority("a:", "a", URI_PORT_NONE);
	expect_authority("a:00080", "a", 80);
	expect_authority("[::1]", "[::1]", URI_PORT_NONE);
	expect_authority("[::1]:80", "[::1]", 80);
	expect_authority("[2001:db8::1]:443", "[2001:db8::1]", 443);
	expect_authority("my_host-1.example.", "my_host-1.example.", URI_PORT_NONE);
	expect_authority("a%20b", "a%20b", URI_PORT_NONE);
}

static void
test_bad_authorities(void **state)
{
	static const char *const cases[] = { "", ":", ":80", "a:65536", "a:-1", "a:+1", "a:8 0",
		"a:80:", "a:80:81", "a b", "a/", "a@b", "user:pass@b", "a?b", "a#b", "[", "[]",
		"[::1", "::1", "[::1]80", "[::1]:x", "[::g]", "[fe80::1%25eth0]", "[v1.x]",
		"[127.0.0.1]", "a%2", "a%zz", "a\\b", "a,b c", "<a>", "\"a\"", "a\x80", "\xc3\xa4",
		"[1111:2222:3333:4444:5555:6666:7777:8888:9999]",
		"[1111:2222:3333:4444:5555:6666:123.123.123.1234567890]" };
	struct uri_authority authority = { SPAN("untouched"), 7 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (uri_authority_parse(span_cstr(cases[i]), &authority) != -EINVAL)
			fail_msg("taken: %s", cases[i]);
	assert_int_equal(uri_authority_parse(SPAN("a\0b"), &authority), -EINVAL);
	assert_int_equal(uri_authority_parse(SPAN("[::1\0]"), &authority), -EINVAL);
	assert_span(authority.host, "untouched");
	assert_int_equal(authority.port, 7);
}

static void
expect_target(const char *text, const char *authority, const char *path, const char *query)
{
	struct uri_target target;

	assert_int_equal(uri_target_parse(span_cstr(text), &target), 0);
	assert_true(span_is(target.authority, authority));
	assert_true(span_is(target.path, path));
	assert_true(span_is(target.query, query));
}

static void
test_targets(void **state)
{
	(void)state;
	expect_target("/", "", "/", "");
	expect_target("/ws", "", "/ws", "");
	expect_target("/?", "", "/", "");
	expect_target("/%00?%0f%F0", "", "/%00", "%0f%F0");
	expect_target("/a?b=c&d", "", "/a", "b=c&d");
	expect_target("/a?b?c/d", "", "/a", "b?c/d");
	expect_target("//a", "", "//a", "");
	expect_target("/%2f..;v=1,2:@!$&'()*+=~_-.", "", "/%2f..;v=1,2:@!$&'()*+=~_-.", "");
	expect_target("/q?[]{}|\\^`", "", "/q", "[]{}|\\^`");
	expect_target("http://h", "h", "/", "");
	expect_target("http://h?x", "h", "/", "x");
	expect_target("HTTP://h:80/a?b", "h:80", "/a", "b");
	expect_target("https://[::1]:1/", "[::1]:1", "/", "");
}

static void
test_bad_targets(void **state)
{
	static const char *const cases[] = { "", "*", "a", "?", "a/b", "host:80", "/#", "/a#b",
		"/ ", "/a b", "/%", "/%4", "/%g0", "/%0g", "/?%", "/?%1", "/[", "/]", "/{", "/}",
		"/|", "/\\", "/^", "/`", "/\"", "/<", "/>", "/?\"", "/?<", "/?>", "/?#", "/\x7f",
		"/\x01", "/\x80", "/?\xff", "http:/a", "http:a", "http://", "http:///a",
		"http://u@h/", "ftp://h/", "ws://h/", "http//h", "://h", "http://h:x/", "http://h#",
		"1http://h/" };
	struct uri_target target;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (uri_target_parse(span_cstr(cases[i]), &target) != -EINVAL)
			fail_msg("taken: %s", cases[i]);
	assert_int_equal(uri_target_parse(SPAN("/a\0"), &target), -EINVAL);
	assert_int_equal(uri_target_parse(SPAN("/?\0"), &target), -EINVAL);
}

static void
test_origins(void **state)
{
	static const char *const bad[] = { "", "null", "http", "http:", "http:/", "http://", "//a",
		"://a", "http://a/", "http://a/b", "http://a?b", "http://a#b", "http://a http://b",
		"http://a,b c", "http://u@a", " http://a", "http://a ", "1a://b", "-a://b",
		"h_t://b", "h%41://b", "http://a:70000", "file://" };
	struct uri_origin origin;

	(void)state;
	assert_int_equal(uri_origin_parse(SPAN("https://example.org:8443"), &origin), 0);
	assert_span(origin.scheme, "https");
	assert_span(origin.authority.host, "example.org");
	assert_int_equal(origin.authority.port, 8443);
	assert_int_equal(uri_origin_parse(SPAN("chrome-extension://abcdef"), &origin), 0);
	assert_span(origin.scheme, "chrome-extension");
	assert_int_equal(origin.authority.port, URI_PORT_NONE);
	assert_int_equal(uri_origin_parse(SPAN("a://b"), &origin), 0);
	assert_int_equal(uri_origin_parse(SPAN("z://b"), &origin), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (uri_origin_parse(span_cstr(bad[i]), &origin) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
}

static void
test_decoding(void **state)
{
	char out[8];
	size_t n = 99;

	(void)state;
	assert_int_equal(uri_decode(SPAN("a%2Fb%2f+"), out, sizeof(out), &n), 0);
	assert_span(span_make(out, n), "a/b/+");
	assert_int_equal(uri_decode(SPAN("%2541"), out, sizeof(out), &n), 0);
	assert_span(span_make(out, n), "%41");
	assert_int_equal(uri_decode(SPAN("%0a%f0"), out, sizeof(out), &n), 0);
	assert_span(span_make(out, n), "\n\xf0");
	assert_int_equal(uri_decode(SPAN(""), out, 0, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(uri_decode(SPAN("12345678"), out, sizeof(out), &n), 0);
	assert_int_equal(n, 8);
	assert_int_equal(uri_decode(SPAN("123456789"), out, sizeof(out), &n), -ENOSPC);
	assert_int_equal(uri_decode(SPAN("%"), out, sizeof(out), &n), -EINVAL);
	assert_int_equal(uri_decode(SPAN("%4"), out, sizeof(out), &n), -EINVAL);
	assert_int_equal(uri_decode(SPAN("%4x"), out, sizeof(out), &n), -EINVAL);
	assert_int_equal(uri_decode(SPAN("a%00b"), out, sizeof(out), &n), -EINVAL);
	assert_int_equal(n, 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_authorities),
		cmocka_unit_test(test_bad_authorities),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_bad_targets),
		cmocka_unit_test(test_origins),
		cmocka_unit_test(test_decoding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
