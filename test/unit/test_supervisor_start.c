/* How the gateway starts, and how it does not; what it leaves behind, and what it takes over. */
#include "support_supervisor.h"

#include <netinet/in.h>
#include <sys/stat.h>

#include "sys/listener.h"
#include "sys/sockets.h"

static void
test_start_and_stop(void **state)
{
	char path[64];
	struct stat st;
	int fd;

	(void)state;
	assert_true(stage_start());
	assert_int_equal(stage_holder(), stage->supervisor);
	assert_int_not_equal(stage_port(), 0);
	(void)snprintf(path, sizeof(path), "%s/run/gateway.sock", stage->home);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(socket_connect_unix(path, &fd), 0);
	(void)close(fd);
	(void)snprintf(path, sizeof(path), "%s/data", stage->home);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(stage->conf.gateway.log_file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(stage_segment_exists());
	for (int i = 0; i < STAGE_WORKERS; i++)
		assert_int_equal(stage->slots[i].starts, 1);

	assert_int_equal(stage_stop(), 0);
	assert_int_equal(stage_holder(), 0);
	assert_false(stage_segment_exists());
	(void)snprintf(path, sizeof(path), "%s/run/gateway.sock", stage->home);
	assert_int_equal(stat(path, &st), -1);
	for (int i = 0; i < STAGE_WORKERS; i++) {
		assert_true(stage_is_gone(stage->slots[i].pid));
		assert_int_equal(stage->slots[i].had_drain_reason, CONTROL_REASON_STOPPING);
	}
	assert_true(stage->last_event_is_shutdown);
	assert_true(stage_log_has("the gateway has stopped"));
}

static void
test_children_have_what_they_are_given(void **state)
{
	(void)state;
	assert_true(stage_start());
	for (int i = 0; i < STAGE_WORKERS; i++)
		assert_int_equal(stage->slots[i].fds, stage->slots[i].expected_fds);
	assert_int_equal(stage_stop(), 0);
}

static void
test_children_have_no_privileges(void **state)
{
	(void)state;
	assert_true(stage_start());
	for (int i = 0; i < STAGE_WORKERS; i++) {
		assert_int_equal(stage->slots[i].uid, geteuid());
		assert_int_equal(stage->slots[i].gid, getegid());
		assert_int_equal(stage->slots[i].umask, 077);
		assert_int_equal(stage->slots[i].no_new_privs, 1);
		assert_int_equal(stage->slots[i].death_signal, SIGKILL);
	}
	assert_int_equal(stage_stop(), 0);
	/* Only root is warned of what only root can mend. */
	assert_int_equal(stage_log_has("the workers run as root, by gateway.user"), geteuid() == 0);
}

/* As root, with somebody to become: 65534 has that number everywhere. */
static void
test_children_of_root(void **state)
{
	static const char *const folders[] = { "run", "logs", "data", "logs/gateway.log" };
	static char user[] = "65534", group[] = "65533";
	char path[64];
	struct stat st;

	(void)state;
	if (geteuid() != 0 || chown(stage->home, 65534, 65533) < 0)
		skip(); /* not root, or of a namespace that knows root alone */
	assert_int_equal(chown(stage->home, 0, 0), 0);
	stage->conf.gateway.user = user;
	stage->conf.gateway.group = group;
	assert_true(stage_start());
	for (int i = 0; i < STAGE_WORKERS; i++) {
		assert_int_equal(stage->slots[i].uid, 65534);
		assert_int_equal(stage->slots[i].gid, 65533);
		assert_int_equal(stage->slots[i].no_new_privs, 1);
		assert_int_equal(stage->slots[i].death_signal, SIGKILL);
	}
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", stage->home, folders[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_uid, 65534);
		assert_int_equal(st.st_gid, 65533);
		assert_int_equal(st.st_mode & 077, 0);
	}
	(void)snprintf(path, sizeof(path), "%s/run/gateway.lock", stage->home);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(stage_holder(), stage->supervisor);
	assert_int_equal(stage_stop(), 0);
}

static void
test_nobody_of_that_name(void **state)
{
	static char nobody[] = "no-such-user", none[] = "", root[] = "root",
		    group[] = "no-such-group";

	(void)state;
	stage->conf.gateway.user = nobody;
	if (geteuid() != 0) {
		assert_true(stage_start());
		assert_int_equal(stage_stop(), 0);
		assert_true(stage_log_has("only root can become somebody else"));
		return;
	}
	assert_false(stage_start());
	assert_int_equal(stage_wait(), 1);
	assert_string_equal(stage->reason, "gateway.user: this machine knows no no-such-user");
	stage->conf.gateway.user = root;
	stage->conf.gateway.group = group;
	assert_false(stage_start());
	assert_int_equal(stage_wait(), 1);
	assert_non_null(
	    strstr(stage->reason, "gateway.group: this machine knows no no-such-group"));
	stage->conf.gateway.group = none;
}

static void
test_port_of_a_stranger(void **state)
{
	char wanted[64];
	uint16_t port;
	int fd;

	(void)state;
	assert_int_equal(listener_open_tcp("127.0.0.1", 0, 16, &fd, &port), 0);
	stage->conf.gateway.port = port;
	assert_false(stage_start());
	assert_int_equal(stage_wait(), 1);
	(void)snprintf(wanted, sizeof(wanted), "Address already in use: 127.0.0.1:%u", port);
	assert_string_equal(stage->reason, wanted);
	(void)close(fd);
	/* Nothing was touched. */
	(void)snprintf(wanted, sizeof(wanted), "%s/run", stage->home);
	assert_int_equal(access(wanted, F_OK), -1);
}

static void
test_second_start(void **state)
{
	char wanted[128];
	pid_t first;

	(void)state;
	assert_true(stage_start());
	first = stage->supervisor;
	stage->conf.gateway.port = stage_port();
	assert_false(stage_start());
	assert_int_equal(stage_wait(), 1);
	(void)snprintf(wanted, sizeof(wanted),
	    "Address already in use: 127.0.0.1:%u (held by the gateway with pid %d)",
	    stage->conf.gateway.port, first);
	assert_string_equal(stage->reason, wanted);

	/* Another port does not help: there is one gateway for each home. */
	stage->conf.gateway.port = 0;
	assert_false(stage_start());
	assert_int_equal(stage_wait(), 1);
	assert_non_null(strstr(stage->reason, "Already running: the gateway with pid"));

	stage->supervisor = first;
	assert_int_equal(stage_holder(), first);
	assert_int_equal(stage_stop(), 0);
}

static void
test_bad_host(void **state)
{
	static char host[] = "192.0.2.1";

	(void)state;
	stage->conf.gateway.host = host;
	stage->conf.gateway.port = 18789;
	assert_false(stage_start());
	assert_int_equal(stage_wait(), 1);
	assert_string_equal(
	    stage->reason, "Cannot listen on 192.0.2.1:18789: Cannot assign requested address");
}

static void
test_log_that_cannot_be_opened(void **state)
{
	static char path[] = "/proc/self/status/gateway.log";

	(void)state;
	stage->conf.gateway.log_file = path;
	assert_false(stage_start());
	assert_int_equal(stage_wait(), 1);
	assert_string_equal(stage->reason,
	    "Cannot open the log file /proc/self/status/gateway.log: Not a directory");
	assert_int_equal(stage_holder(), 0);
}

static void
test_no_room_for_the_segment(void **state)
{
	(void)state;
	stage->conf.gateway.ring_bytes = UINT64_C(1) << 40;
	assert_false(stage_start());
	assert_int_equal(stage_wait(), 1);
	assert_int_equal(strncmp(stage->reason, "No room in /dev/shm", 19), 0);
	assert_false(stage_segment_exists());
	assert_int_equal(stage_holder(), 0);
}

static void
test_workers_that_die_at_once(void **state)
{
	(void)state;
	for (int i = 0; i < STAGE_LIVES; i++)
		stage->slots[1].act[i] = ACT_DIE_AT_ONCE;
	assert_false(stage_start());
	assert_int_equal(stage_wait(), 1);
	assert_string_equal(stage->reason, "The workers die before they serve");
	assert_int_equal(stage->slots[1].starts, 5);
	assert_true(stage_is_gone(stage->slots[0].pid));
	assert_false(stage_segment_exists());
	assert_int_equal(stage_holder(), 0);
}

static void
test_workers_that_recover(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		stage->slots[1].act[i] = ACT_DIE_AT_ONCE;
	assert_true(stage_start());
	assert_int_equal(stage->slots[1].starts, 4);
	assert_int_equal(stage->slots[0].starts, 1);
	assert_int_equal(stage_stop(), 0);
}

static void
test_workers_that_refuse(void **state)
{
	(void)state;
	stage->slots[0].act[0] = ACT_REFUSE;
	assert_false(stage_start());
	assert_int_equal(stage_wait(), 2);
	assert_int_equal(stage->slots[0].starts, 1);
}

static void
test_stop_while_starting(void **state)
{
	int pipe_fds[2];
	char text[128] = "";
	pid_t pid;

	(void)state;
	stage->slots[0].act[0] = ACT_NEVER_READY;
	assert_int_equal(pipe(pipe_fds), 0);
	pid = fork();
	if (pid == 0)
		stage_run_supervisor(pipe_fds[1]);
	stage->supervisor = pid;
	(void)close(pipe_fds[1]);
	stage_await(stage->slots[0].starts == 1 && stage->slots[1].starts == 1);
	assert_int_equal(stage_stop(), 0);
	assert_true(read(pipe_fds[0], text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "Stopped before it was ready\n");
	(void)close(pipe_fds[0]);
}

/* After the death of everything the next start goes on with the same events. */
static void
test_adoption(void **state)
{
	char epoch[32];

	(void)state;
	assert_true(stage_start());
	(void)memcpy(epoch, stage->epoch, sizeof(epoch));
	stage_murder();
	for (int i = 0; i < STAGE_WORKERS; i++)
		stage_await(stage_is_gone(stage->slots[i].pid));
	/* A sanitizer's helper, which shares its descriptors, can outlive a process a little. */
	stage_await(stage_holder() == 0);
	assert_true(stage_segment_exists());

	assert_true(stage_start());
	assert_string_equal(stage->epoch, epoch);
	assert_true(stage_log_has("adopted"));
	assert_int_equal(stage_stop(), 0);

	/* After a stop that was asked for, another epoch begins. */
	assert_true(stage_start());
	assert_string_not_equal(stage->epoch, epoch);
	assert_int_equal(stage_stop(), 0);
}

static void
test_failed_start_leaves_what_it_adopted(void **state)
{
	char epoch[32];

	(void)state;
	assert_true(stage_start());
	(void)memcpy(epoch, stage->epoch, sizeof(epoch));
	stage_murder();
	for (int i = 0; i < STAGE_LIVES; i++)
		stage->slots[0].act[i] = ACT_REFUSE;
	assert_false(stage_start());
	assert_int_equal(stage_wait(), 2);
	for (int i = 0; i < STAGE_LIVES; i++)
		stage->slots[0].act[i] = ACT_SERVE;
	assert_true(stage_start());
	assert_string_equal(stage->epoch, epoch);
	assert_int_equal(stage_stop(), 0);
}

/* The orphans of a killed gateway still have port and lock; the next start waits for them. */
static void
test_start_waits_for_orphans(void **state)
{
	(void)state;
	for (int i = 0; i < STAGE_WORKERS; i++)
		stage->slots[i].act[0] = ACT_LINGER;
	assert_true(stage_start());
	stage->conf.gateway.port = stage_port();
	stage_murder();
	assert_int_equal(stage_holder(), -ESRCH);
	assert_true(stage_start());
	assert_int_equal(stage_stop(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(test_start_and_stop),
		stage_test(test_children_have_what_they_are_given),
		stage_test(test_children_have_no_privileges),
		stage_test(test_children_of_root),
		stage_test(test_nobody_of_that_name),
		stage_test(test_port_of_a_stranger),
		stage_test(test_second_start),
		stage_test(test_bad_host),
		stage_test(test_log_that_cannot_be_opened),
		stage_test(test_no_room_for_the_segment),
		stage_test(test_workers_that_die_at_once),
		stage_test(test_workers_that_recover),
		stage_test(test_workers_that_refuse),
		stage_test(test_stop_while_starting),
		stage_test(test_adoption),
		stage_test(test_failed_start_leaves_what_it_adopted),
		stage_test(test_start_waits_for_orphans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
