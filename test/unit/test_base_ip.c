/*
 * Addresses and networks: what is read, what is not, and what lies where.
 */
#include "support_cmocka.h"

#include <errno.h>

#include "base/ip.h"

static struct ip
ip(const char *text)
{
	struct ip ret;

	assert_int_equal(ip_parse(span_cstr(text), &ret), 0);
	return ret;
}

static void
addresses(void **state)
{
	static const char *const bad[] = { "", "1", "1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4 ",
		" 1.2.3.4", "[::1]", "::1%lo", "1.2.3.4:80", "::g", "localhost", "1.2.3.4/8",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999",
		"1111:1111:1111:1111:1111:1111:111.111.111.1111" };
	struct ip a = ip("192.0.2.1"), b = ip("::ffff:192.0.2.1"), none;

	(void)state;
	assert_true(ip_is_equal(&a, &b) && ip_is_v4(&b));
	b = ip("2001:db8::1");
	assert_false(ip_is_v4(&b) || ip_is_equal(&a, &b));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(ip_parse(span_cstr(bad[i]), &none), -EINVAL);
	assert_int_equal(ip_parse(span_make("1.2.3.4\0", 8), &none), -EINVAL);
}

static void
loopback(void **state)
{
	static const char *const yes[] = { "127.0.0.1", "127.255.1.2", "::1", "::ffff:127.0.0.1" };
	static const char *const no[] = { "128.0.0.1", "126.0.0.1", "::2", "::", "::127.0.0.1",
		"7f00::", "0.0.0.0" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		assert_true(ip_is_loopback(&(struct ip[]){ ip(yes[i]) }[0]));
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		assert_false(ip_is_loopback(&(struct ip[]){ ip(no[i]) }[0]));
}

static void
networks(void **state)
{
	static const struct {
		const char *network, *inside, *outside;
	} rows[] = {
		{ "10.0.0.0/8", "10.255.0.1", "11.0.0.0" },
		{ "10.1.2.3/8", "10.9.9.9", "9.9.9.9" },
		{ "192.0.2.128/25", "192.0.2.200", "192.0.2.127" },
		{ "192.0.2.7", "192.0.2.7", "192.0.2.6" },
		{ "192.0.2.7/32", "::ffff:192.0.2.7", "192.0.2.6" },
		{ "0.0.0.0/0", "203.0.113.9", "2001:db8::1" },
		{ "2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1" },
		{ "::/0", "2001:db8::1", NULL },
		{ "::1", "::1", "::" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ip_network network;
		struct ip inside = ip(rows[i].inside), outside;

		assert_int_equal(ip_network_parse(span_cstr(rows[i].network), &network), 0);
		assert_true(ip_network_has(&network, &inside));
		if (rows[i].outside == NULL)
			continue;
		outside = ip(rows[i].outside);
		assert_false(ip_network_has(&network, &outside));
	}
}

static void
bad_networks(void **state)
{
	static const char *const bad[] = { "", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129",
		"10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0.0/08x", "10/8" };
	struct ip_network none;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(ip_network_parse(span_cstr(bad[i]), &none), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(loopback),
		cmocka_unit_test(networks),
		cmocka_unit_test(bad_networks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
