/* What a service manager passes, and what it is told. */
#include "support_cmocka.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "sys/activation.h"
#include "sys/listener.h"
#include "sys/notify.h"

#ifdef LURKBOT_SYSTEMD

static int
listener(const char *host)
{
	uint16_t port;
	int fd;

	assert_int_equal(listener_open_tcp(host, 0, 8, &fd, &port), 0);
	return fd;
}

static int
abstract_listener(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strncpy(address.sun_path + 1, name, sizeof(address.sun_path) - 2);
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&address,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))),
	    0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void
is_kind(int fd, enum activation_kind kind)
{
	assert_true(fd >= 0);
	assert_int_equal(activation_kind_of(fd), kind);
	assert_true(strlen(activation_kind_name(kind)) > 0);
	(void)close(fd);
}

static void
test_kinds(void **state)
{
	int pair[2];

	(void)state;
	is_kind(listener("127.0.0.1"), ACTIVATION_TCP);
	is_kind(listener("::1"), ACTIVATION_TCP);
	is_kind(abstract_listener("lurkbot-test-kinds"), ACTIVATION_UNIX);
	is_kind(socket(AF_INET, SOCK_STREAM, 0), ACTIVATION_DEAF);
	is_kind(socket(AF_INET, SOCK_DGRAM, 0), ACTIVATION_DATAGRAM);
	is_kind(socket(AF_UNIX, SOCK_SEQPACKET, 0), ACTIVATION_DATAGRAM);
	is_kind(memfd_create("lurkbot-test", MFD_CLOEXEC), ACTIVATION_FILE);
	is_kind(open("/dev/null", O_RDONLY | O_CLOEXEC), ACTIVATION_ELSE);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	is_kind(pair[0], ACTIVATION_DEAF);
	(void)close(pair[1]);
	assert_int_equal(activation_kind_of(-1), ACTIVATION_ELSE);
}

/* In a process of its own, since the numbers begin at 3. */
static int
in_child(int (*body)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		char number[16];

		(void)snprintf(number, sizeof(number), "%d", getpid());
		(void)setenv("LISTEN_PID", number, 1);
		_exit(body());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int
take_two(void)
{
	struct activation got = { 0 };
	int bad = -1, tcp = fcntl(listener("127.0.0.1"), F_DUPFD, 64),
	    file = fcntl(memfd_create("x", 0), F_DUPFD, 64);

	if (dup2(tcp, 3) != 3 || dup2(file, 4) != 4)
		return 10;
	(void)setenv("LISTEN_FDS", "2", 1);
	(void)setenv("LISTEN_FDNAMES", "clients:stored-segment", 1);
	if (activation_take(&got, &bad) != 0 || got.count != 2 || bad != -1)
		return 11;
	if (got.fds[0].fd != 3 || got.fds[0].kind != ACTIVATION_TCP ||
	    strcmp(got.fds[0].name, "clients") != 0)
		return 12;
	if (got.fds[1].fd != 4 || got.fds[1].kind != ACTIVATION_FILE ||
	    strcmp(got.fds[1].name, "stored-segment") != 0)
		return 13;
	if ((fcntl(3, F_GETFD) & FD_CLOEXEC) == 0 || getenv("LISTEN_FDS") != NULL)
		return 14;
	/* Once only. */
	return activation_take(&got, &bad) == 0 && got.count == 0 ? 0 : 15;
}

static int
take_missing(void)
{
	struct activation got = { 0 };
	int bad = -1;

	(void)close_range(3, ~0U, 0);
	if (open("/dev/null", O_RDONLY) != 3)
		return 20;
	(void)setenv("LISTEN_FDS", "2", 1);
	(void)unsetenv("LISTEN_FDNAMES");
	return activation_take(&got, &bad) == -EBADF && bad == 4 && got.count == 0 ? 0 : 21;
}

static int
take_too_many(void)
{
	struct activation got = { 0 };
	int bad = -1;

	for (int fd = 3; fd < 3 + ACTIVATION_MAX + 1; fd++)
		if (dup2(0, fd) != fd)
			return 30;
	(void)setenv("LISTEN_FDS", "65", 1);
	return activation_take(&got, &bad) == -E2BIG ? 0 : 31;
}

static int
take_broken(void)
{
	struct activation got = { 0 };
	int bad = -1;

	(void)setenv("LISTEN_FDS", "many", 1);
	return activation_take(&got, &bad) < 0 && bad == -1 ? 0 : 41;
}

static int
take_of_another(void)
{
	struct activation got = { .count = 7 };
	int bad = -1;

	(void)setenv("LISTEN_PID", "1", 1);
	(void)setenv("LISTEN_FDS", "1", 1);
	return activation_take(&got, &bad) == 0 && got.count == 0 ? 0 : 51;
}

static void
test_taking(void **state)
{
	(void)state;
	assert_int_equal(in_child(take_two), 0);
	assert_int_equal(in_child(take_missing), 0);
	assert_int_equal(in_child(take_too_many), 0);
	assert_int_equal(in_child(take_broken), 0);
	assert_int_equal(in_child(take_of_another), 0);
}

static void
test_telling(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char got[64] = "";
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	(void)state;
	assert_false(notify_is_wanted());
	assert_int_equal(notify_send("READY=1", NULL, 0), 0);
	(void)snprintf(
	    address.sun_path + 1, sizeof(address.sun_path) - 1, "lurkbot-test-%d", getpid());
	assert_int_equal(bind(fd, (struct sockaddr *)&address,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
					 strlen(address.sun_path + 1))),
	    0);
	address.sun_path[0] = '@';
	(void)setenv("NOTIFY_SOCKET", address.sun_path, 1);
	assert_true(notify_is_wanted());
	assert_int_equal(notify_send("READY=1\nSTATUS=x", NULL, 0), 0);
	assert_int_equal(recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT), 16);
	assert_string_equal(got, "READY=1\nSTATUS=x");
	assert_int_equal(notify_settle(1), -ETIMEDOUT); /* nobody reads */
	(void)close(fd);
	assert_int_equal(notify_send("READY=1", NULL, 0), -ECONNREFUSED);
	assert_int_equal(notify_watchdog_us(), 0);
	(void)setenv("WATCHDOG_USEC", "1500000", 1);
	assert_int_equal(notify_watchdog_us(), 1500000);
	(void)setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(notify_watchdog_us(), 0);
	notify_forget();
	assert_false(notify_is_wanted());
	assert_null(getenv("WATCHDOG_USEC"));
}

#endif

int
main(void)
{
#ifdef LURKBOT_SYSTEMD
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_taking),
		cmocka_unit_test(test_telling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
#else
	return 0;
#endif
}
