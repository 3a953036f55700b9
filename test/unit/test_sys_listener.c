/* Listening sockets and the addresses of their peers. */
#include "support_cmocka.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/listener.h"
#include "sys/sockets.h"

static int
set_up(void **state)
{
	static char folder[32];

	(void)snprintf(folder, sizeof(folder), "/tmp/listener-XXXXXX");
	*state = mkdtemp(folder);
	return *state == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	return rmdir(*state);
}

static int
connect_tcp(const char *host, uint16_t port)
{
	struct listener_address address;
	unsigned count;
	int fd;

	assert_int_equal(listener_resolve(host, port, &address, 1, &count), 0);
	fd = socket(address.address.ss_family, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address.address, address.length), 0);
	return fd;
}

static void
peer_text(int fd, char ret_text[SOCKET_TEXT_MAX])
{
	struct socket_peer peer;

	socket_peer_get(fd, &peer);
	assert_ptr_equal(socket_peer_text(&peer, ret_text), ret_text);
}

static void
test_tcp(void **state)
{
	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer);
	char text[SOCKET_TEXT_MAX], address_text[SOCKET_TEXT_MAX];
	int fd, client, accepted, on = 0, other;
	uint16_t port = 0, other_port;
	uid_t uid;

	(void)state;
	assert_int_equal(listener_open_tcp("127.0.0.1", 0, 16, &fd, &port), 0);
	assert_int_not_equal(port, 0);
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(
	    listener_open_tcp("127.0.0.1", port, 16, &other, &other_port), -EADDRINUSE);

	client = connect_tcp("127.0.0.1", port);
	accepted = accept4(fd, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC);
	assert_true(accepted >= 0);
	peer_text(accepted, text);
	socket_address_text((struct sockaddr *)&peer, length, address_text);
	assert_string_equal(text, address_text);
	assert_int_equal(strncmp(text, "127.0.0.1:", 10), 0);
	length = sizeof(on);
	assert_int_equal(getsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, &length), 0);
	assert_int_not_equal(on, 0);
	assert_int_equal(getsockopt(accepted, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &on, &length), 0);
	assert_int_equal(on, LISTENER_UNSENT_BYTES);
	assert_int_equal(socket_peer_uid(accepted, &uid), -ENOTCONN);
	(void)close(accepted);
	(void)close(client);
	(void)close(fd);

	/* The connection is in TIME_WAIT now, and the port is free all the same. */
	assert_int_equal(listener_open_tcp("127.0.0.1", port, 16, &fd, &other_port), 0);
	assert_int_equal(other_port, port);
	(void)close(fd);
}

static void
test_tcp_ipv6(void **state)
{
	char text[SOCKET_TEXT_MAX];
	int fd, client, accepted;
	uint16_t port = 0;

	(void)state;
	if (listener_open_tcp("[::1]", 0, 16, &fd, &port) < 0)
		skip();
	client = connect_tcp("::1", port);
	accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	peer_text(accepted, text);
	assert_int_equal(strncmp(text, "[::1]:", 6), 0);
	(void)close(accepted);
	(void)close(client);
	(void)close(fd);
}

static void
test_tcp_both_families(void **state)
{
	char text[SOCKET_TEXT_MAX];
	int fd, client, accepted;
	uint16_t port = 0;

	(void)state;
	if (listener_open_tcp("::", 0, 16, &fd, &port) < 0)
		skip();
	client = connect_tcp("127.0.0.1", port);
	accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	peer_text(accepted, text);
	assert_int_equal(strncmp(text, "127.0.0.1:", 10), 0);
	(void)close(accepted);
	(void)close(client);
	(void)close(fd);
}

static void
test_resolve(void **state)
{
	struct listener_address addresses[8];
	char text[SOCKET_TEXT_MAX];
	unsigned count = 0;
	uint16_t port;
	int fd;

	(void)state;
	assert_int_equal(listener_resolve("localhost", 80, addresses, 8, &count), 0);
	assert_in_range(count, 1, 2);
	assert_int_equal(listener_resolve("192.0.2.7", 80, addresses, 8, &count), 0);
	assert_int_equal(count, 1);
	listener_address_set_port(&addresses[0], 8080);
	socket_address_text((struct sockaddr *)&addresses[0].address, addresses[0].length, text);
	assert_string_equal(text, "192.0.2.7:8080");
	assert_int_equal(listener_open_address(&addresses[0], 16, &fd, &port), -EADDRNOTAVAIL);
	assert_int_equal(listener_resolve("2001:db8::1", 1, addresses, 8, &count), 0);
	listener_address_set_port(&addresses[0], 65535);
	socket_address_text((struct sockaddr *)&addresses[0].address, addresses[0].length, text);
	assert_string_equal(text, "[2001:db8::1]:65535");
	assert_true(listener_resolve("no such host", 80, addresses, 8, &count) < 0);
}

static void
test_unknown_address(void **state)
{
	struct sockaddr_storage storage = { .ss_family = AF_INET };
	char text[SOCKET_TEXT_MAX];

	(void)state;
	socket_address_text((struct sockaddr *)&storage, 3, text);
	assert_string_equal(text, "unknown");
	storage.ss_family = AF_NETLINK;
	socket_address_text((struct sockaddr *)&storage, sizeof(storage), text);
	assert_string_equal(text, "unknown");
	peer_text(-1, text);
	assert_string_equal(text, "unknown");
}

/* Listens at PATH, is reached there, and leaves a dead socket file behind. */
static void
serve_once(const char *path)
{
	char text[SOCKET_TEXT_MAX];
	uid_t uid = (uid_t)-1;
	int fd = -1, other, client = -1, accepted;
	struct stat st;

	assert_int_equal(listener_open_unix(path, 16, &fd), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(socket_connect_unix(path, &client), 0);
	accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(accepted >= 0);
	assert_int_equal(socket_peer_uid(accepted, &uid), 0);
	assert_int_equal(uid, geteuid());
	peer_text(accepted, text);
	assert_string_equal(text, "unix");
	assert_int_equal(listener_open_unix(path, 16, &other), -EADDRINUSE);
	(void)close(accepted);
	(void)close(client);
	(void)close(fd);
}

static void
test_unix(void **state)
{
	char path[128], other[160];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/s", (char *)*state);
	serve_once(path);
	assert_int_equal(socket_connect_unix(path, &fd), -ECONNREFUSED);
	/* The stale one is replaced. */
	serve_once(path);
	(void)snprintf(other, sizeof(other), "%s.new", path);
	assert_int_equal(access(other, F_OK), -1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(socket_connect_unix(path, &fd), -ENOENT);
	(void)snprintf(other, sizeof(other), "%s/none/s", (char *)*state);
	assert_int_equal(listener_open_unix(other, 16, &fd), -ENOENT);
}

static void
test_unix_does_not_replace_files(void **state)
{
	char path[128];
	int fd, file;

	(void)snprintf(path, sizeof(path), "%s/s", (char *)*state);
	file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(file >= 0);
	(void)close(file);
	assert_int_equal(listener_open_unix(path, 16, &fd), -EEXIST);
	assert_int_equal(unlink(path), 0);
}

static void
test_unix_long_path(void **state)
{
	char folder[300], path[512], file[200];
	int fd;

	memset(file, 'f', 180);
	file[180] = '\0';
	(void)snprintf(folder, sizeof(folder), "%s/%s", (char *)*state, file);
	assert_int_equal(mkdir(folder, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/gateway.sock", folder);
	serve_once(path);
	serve_once(path);
	assert_int_equal(unlink(path), 0);
	(void)snprintf(path, sizeof(path), "%s/%.100s", folder, file);
	assert_int_equal(listener_open_unix(path, 16, &fd), -ENAMETOOLONG);
	assert_int_equal(rmdir(folder), 0);
}

static void
test_text_and_sameness(void **state)
{
	struct listener_address first, second;
	char text[LISTENER_TEXT_MAX], expected[LISTENER_TEXT_MAX], path[64];
	uint16_t port, other_port;
	int fd, other;

	assert_int_equal(listener_open_tcp("127.0.0.1", 0, 8, &fd, &port), 0);
	listener_text(fd, text);
	(void)snprintf(expected, sizeof(expected), "127.0.0.1:%u", port);
	assert_string_equal(text, expected);
	assert_int_equal(listener_open_tcp("127.0.0.1", 0, 8, &other, &other_port), 0);
	assert_int_equal(listener_address_get(fd, &first), 0);
	assert_int_equal(listener_address_port(&first), port);
	assert_int_equal(listener_address_get(other, &second), 0);
	assert_true(listener_address_is_same(&first, &first, false));
	assert_false(listener_address_is_same(&first, &second, false));
	assert_true(listener_address_is_same(&first, &second, true));
	(void)close(other);

	assert_int_equal(listener_open_tcp("::1", 0, 8, &other, &port), 0);
	listener_text(other, text);
	(void)snprintf(expected, sizeof(expected), "[::1]:%u", port);
	assert_string_equal(text, expected);
	assert_int_equal(listener_address_get(other, &second), 0);
	assert_false(listener_address_is_same(&first, &second, true));
	assert_true(listener_address_is_same(&second, &second, false));
	(void)close(other);
	(void)close(fd);

	(void)snprintf(path, sizeof(path), "%s/s", (const char *)*state);
	assert_int_equal(listener_open_unix(path, 8, &fd), 0);
	listener_text(fd, text);
	(void)snprintf(expected, sizeof(expected), "unix:%s.new", path);
	assert_string_equal(text, expected); /* the name that it was bound to */
	assert_int_equal(listener_prepare(fd), 0);
	assert_int_equal(listener_address_get(fd, &first), 0);
	assert_int_equal(listener_address_port(&first), 0);
	assert_false(listener_address_is_same(&first, &first, true));
	(void)close(fd);
	(void)unlink(path);
	listener_text(-1, text);
	assert_string_equal(text, "unknown");
	assert_int_equal(listener_prepare(-1), -EBADF);
}

/* A socket of somebody else's hands the same options on. */
static void
test_prepare(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), value = 0;
	socklen_t length = sizeof(value);

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(listener_prepare(fd), 0);
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &length), 0);
	assert_int_equal(value, 1);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &value, &length), 0);
	assert_int_equal(value, LISTENER_UNSENT_BYTES);
	(void)close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_tcp_ipv6),
		cmocka_unit_test(test_tcp_both_families),
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_unknown_address),
		cmocka_unit_test(test_prepare),
		cmocka_unit_test_setup_teardown(test_text_and_sameness, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unix, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_unix_does_not_replace_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unix_long_path, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
