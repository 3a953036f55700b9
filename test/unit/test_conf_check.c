/*
 * The shapes of hosts, origins and file names.
 */
#include "support_cmocka.h"

#include "base/macros.h"
#include "conf/check.h"

static void
assert_all(bool (*check)(struct span), const char *const *texts, bool should)
{
	for (; *texts != NULL; texts++) {
		if (check(span_cstr(*texts)) != should)
			fail_msg("\"%s\" is %s", *texts, should ? "refused" : "taken");
	}
}

static void
hosts(void **state)
{
	static const char *const good[] = { "127.0.0.1", "0.0.0.0", "::", "::1", "fe80::1%eth0",
		"localhost", "my_host.example.org", NULL };
	static const char *const bad[] = { "", " ", "a b", "[::1]", "*", "http://a", "a/b", "a\n",
		"h\xc3\xb6st", NULL };
	char name[255];

	(void)state;
	assert_all(check_host, good, true);
	assert_all(check_host, bad, false);
	assert_false(check_host(SPAN("a\0b")));
	memset(name, 'a', sizeof(name));
	assert_true(check_host(span_make(name, 253)));
	assert_false(check_host(span_make(name, 254)));
}

static void
origins(void **state)
{
	static const char *const good[] = { "https://a.example", "http://localhost:3000",
		"http://[::1]:8080", "https://[2001:db8::7]", "app://obsidian.md",
		"chrome-extension://abcdef", "HTTP://A", "http://a:1", "http://a:65535", NULL };
	static const char *const bad[] = { "", "null", "*", "a.example", "a.example:80", "//a",
		"http:/a", "http://", "http://:80", "http://a/", "http://a/b",
		"http://a:", "http://a:0", "http://a:65536", "http://a:x", "http://a:-1",
		"http://a:000080", "http://u@a", "http://a b", "http://[::1", "http://[]",
		"http://[::1]x", "http://*.a", "1http://a", "://a", "http://a?b", "http://a#b",
		NULL };

	(void)state;
	assert_all(check_origin, good, true);
	assert_all(check_origin, bad, false);
	assert_false(check_origin(SPAN("http://a\0b")));
}

static void
files(void **state)
{
	static const char *const good[] = { "", "/a", "/a b/\xc3\xb6", "~/a", "/a/../b", NULL };
	static const char *const bad[] = { "a", "./a", "~", "~/", "~user/a", "/", "/a/", "/a\nb",
		"/a\x7f", " /a", NULL };

	(void)state;
	assert_all(check_file, good, true);
	assert_all(check_file, bad, false);
	assert_false(check_file(SPAN("/a\0b")));
}

static void
accounts(void **state)
{
	static const char *const good[] = { "", "lurkbot", "_x-y.z", "0", "65534", NULL };
	static const char *const bad[] = { "-x", "a b", "a:b", "a/b", "root\n", "\xc3\xb6",
		"a-name-of-thirty-three-characters", NULL };

	(void)state;
	assert_all(check_account, good, true);
	assert_all(check_account, bad, false);
	assert_false(check_account(SPAN("root\0x")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts),
		cmocka_unit_test(origins),
		cmocka_unit_test(files),
		cmocka_unit_test(accounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
