/*
 * Addresses as they are typed, and connecting: to a local socket with a path of any length, to TCP,
 * to nobody.
 */
#include "support_cmocka.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/endpoint.h"
#include "support_alloc.h"
#include "sys/listener.h"

static void
urls(void **state)
{
	static const struct {
		const char *url, *host, *target, *authority, *name;
		uint16_t port;
	} cases[] = {
		{ "ws://127.0.0.1:18789", "127.0.0.1", "/", "127.0.0.1:18789",
		    "ws://127.0.0.1:18789", 18789 },
		{ "ws://a.example", "a.example", "/", "a.example:18789", "ws://a.example:18789",
		    18789 },
		{ "ws://[::1]:80/ws", "::1", "/ws", "[::1]:80", "ws://[::1]:80/ws", 80 },
		{ "ws://h:1/a?b=c", "h", "/a?b=c", "h:1", "ws://h:1/a?b=c", 1 },
		{ "ws://h?b", "h", "/?b", "h:18789", "ws://h:18789/?b", 18789 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf fault = { 0 };
		struct endpoint e;

		assert_int_equal(endpoint_from_url(&e, span_cstr(cases[i].url), &fault), 0);
		assert_string_equal(e.host, cases[i].host);
		assert_int_equal(e.port, cases[i].port);
		assert_string_equal(e.target, cases[i].target);
		assert_string_equal(e.authority, cases[i].authority);
		assert_string_equal(e.name, cases[i].name);
		assert_null(e.socket_path);
		endpoint_fini(&e);
	}
}

static void
bad_urls(void **state)
{
	static const char *const urls[] = { "", "ws://", "h:1", "http://h", "wsss://h", "ws:/h",
		"ws://h:99999", "ws://u@h", "ws://h/ b", "ws://h/#x", "ws://h:1\r\nX: y",
		"ws://:80", "ws://h/%zz" };

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct buf fault = { 0 };
		struct endpoint e;

		if (endpoint_from_url(&e, span_cstr(urls[i]), &fault) != -EINVAL)
			fail_msg("%s is taken", urls[i]);
		assert_true(fault.len > 0);
		buf_fini(&fault);
		endpoint_fini(&e);
	}
}

static void
zone_is_not_told(void **state)
{
	struct endpoint e;

	(void)state;
	assert_int_equal(endpoint_from_address(&e, "fe80::1%eth0", 5, false), 0);
	assert_string_equal(e.host, "fe80::1%eth0");
	assert_string_equal(e.authority, "[fe80::1]:5");
	endpoint_fini(&e);
}

static void
try_url(void *arg)
{
	struct buf fault = { 0 };
	struct endpoint e;
	int rc = endpoint_from_url(&e, SPAN("ws://[::1]:80/ws"), &fault);

	(void)arg;
	assert_true(rc == 0 || rc == -ENOMEM);
	endpoint_fini(&e);
	buf_fini(&fault);
}

static void
without_memory(void **state)
{
	(void)state;
	assert_true(support_alloc_try_each(try_url, NULL) >= 5);
}

/* A socket below a path that is longer than an address can hold. */
static void
local_socket(void **state)
{
	char folder[] = "/tmp/test-endpoint-XXXXXX", deep[256], path[300];
	struct endpoint e;
	int listener, fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(deep, sizeof(deep), "%s/%0150d", folder, 7);
	snprintf(path, sizeof(path), "%s/sock", deep);
	assert_int_equal(mkdir(deep, 0700), 0);
	assert_int_equal(endpoint_from_socket(&e, path), 0);
	assert_string_equal(e.authority, "localhost");
	assert_int_equal(endpoint_connect(&e, clock_mono_ms() + 1000, &fd), -ENOENT);
	assert_int_equal(listener_open_unix(path, 1, &listener), 0);
	assert_int_equal(endpoint_connect(&e, clock_mono_ms() + 1000, &fd), 0);
	close(fd);
	close(listener);
	assert_int_equal(endpoint_connect(&e, clock_mono_ms() + 1000, &fd), -ECONNREFUSED);
	endpoint_fini(&e);
	unlink(path);
	rmdir(deep);
	rmdir(folder);
}

/* Nobody accepts and the queue is full: connecting ends at the deadline. */
static void
full_queue(void **state)
{
	char folder[] = "/tmp/test-endpoint-XXXXXX", path[64];
	int listener, fds[16], n = 0, rc = 0;
	struct endpoint e;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/sock", folder);
	assert_int_equal(listener_open_unix(path, 1, &listener), 0);
	assert_int_equal(endpoint_from_socket(&e, path), 0);
	while (n < 16 && (rc = endpoint_connect(&e, clock_mono_ms() + 100, &fds[n])) == 0)
		n++;
	assert_int_equal(rc, -ETIMEDOUT);
	while (n > 0)
		close(fds[--n]);
	endpoint_fini(&e);
	close(listener);
	unlink(path);
	rmdir(folder);
}

static void
tcp(void **state)
{
	struct endpoint e;
	uint16_t port;
	int listener, fd;

	(void)state;
	assert_int_equal(listener_open_tcp("127.0.0.1", 0, 1, &listener, &port), 0);
	assert_int_equal(endpoint_from_address(&e, "127.0.0.1", port, false), 0);
	assert_int_equal(endpoint_connect(&e, clock_mono_ms() + 5000, &fd), 0);
	close(fd);
	close(listener);
	assert_int_equal(endpoint_connect(&e, clock_mono_ms() + 5000, &fd), -ECONNREFUSED);
	endpoint_fini(&e);
	assert_int_equal(endpoint_from_address(&e, "no.such.host.invalid", 1, false), 0);
	assert_true(endpoint_connect(&e, clock_mono_ms() + 5000, &fd) < 0);
	endpoint_fini(&e);
}

static void
waiting(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(endpoint_wait(fds[0], POLLIN, clock_mono_ms() + 10), -ETIMEDOUT);
	assert_int_equal(endpoint_wait(fds[0], POLLIN, 0), -ETIMEDOUT);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(endpoint_wait(fds[0], POLLIN, clock_mono_ms() + 10000), 0);
	close(fds[0]);
	close(fds[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls),
		cmocka_unit_test(bad_urls),
		cmocka_unit_test(zone_is_not_told),
		cmocka_unit_test(without_memory),
		cmocka_unit_test(local_socket),
		cmocka_unit_test(full_queue),
		cmocka_unit_test(tcp),
		cmocka_unit_test(waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
