/* The control socket: what is sent arrives, and nothing that is broken leaves a descriptor behind. */
#include "support_cmocka.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sys/control.h"
#include "sys/process.h"

struct raw_header {
	uint16_t version, type;
	uint32_t length;
};

static int
set_up(void **state)
{
	static int fds[2];

	*state = fds;
	return control_pair(fds);
}

static int
tear_down(void **state)
{
	int *fds = *state;

	(void)close(fds[0]);
	(void)close(fds[1]);
	return 0;
}

static uint64_t
open_fds(void)
{
	uint64_t count = 0;

	assert_int_equal(process_open_fds(getpid(), &count), 0);
	return count;
}

/* Sends bytes as they stand, with NFDS copies of standard input. */
static void
send_raw(int fd, const void *data, size_t len, unsigned nfds)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * 64)];
	} space;
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	const int input = STDIN_FILENO;

	memset(&space, 0, sizeof(space));
	if (nfds > 0) {
		struct cmsghdr *cmsg;

		msg.msg_control = space.space;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		for (unsigned i = 0; i < nfds; i++)
			memcpy(CMSG_DATA(cmsg) + i * sizeof(int), &input, sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &msg, MSG_NOSIGNAL), (ssize_t)len);
}

static void
test_messages_arrive_whole(void **state)
{
	const int *fds = *state;
	struct control_message msg;
	char body[CONTROL_BODY_MAX];

	memset(body, 'x', sizeof(body));
	assert_int_equal(control_receive(fds[1], &msg), -EAGAIN);
	assert_int_equal(control_send(fds[0], CONTROL_READY, NULL, 0, NULL, 0), 0);
	assert_int_equal(control_send(fds[0], CONTROL_READY, body, sizeof(body), NULL, 0), 0);
	assert_int_equal(
	    control_send(fds[0], CONTROL_READY, body, sizeof(body) + 1, NULL, 0), -EMSGSIZE);

	assert_int_equal(control_receive(fds[1], &msg), 1);
	assert_int_equal(msg.version, CONTROL_VERSION);
	assert_int_equal(msg.type, CONTROL_READY);
	assert_int_equal(msg.length, 0);
	assert_int_equal(msg.fd_count, 0);
	assert_int_equal(control_receive(fds[1], &msg), 1);
	assert_int_equal(msg.length, sizeof(body));
	assert_memory_equal(msg.body, body, sizeof(body));
	assert_int_equal(control_receive(fds[1], &msg), -EAGAIN);
}

static void
test_drain(void **state)
{
	const int *fds = *state;
	struct control_drain drain = { 0 };
	struct control_message msg;

	assert_int_equal(control_send_drain(fds[0], 1234, CONTROL_REASON_STOPPING), 0);
	assert_int_equal(control_receive(fds[1], &msg), 1);
	assert_int_equal(control_read_drain(&msg, &drain), 0);
	assert_int_equal(drain.timeout_ms, 1234);
	assert_int_equal(drain.reason, CONTROL_REASON_STOPPING);

	msg.length--;
	assert_int_equal(control_read_drain(&msg, &drain), -EBADMSG);
	msg.length++;
	msg.type = CONTROL_READY;
	assert_int_equal(control_read_drain(&msg, &drain), -EBADMSG);
	msg.type = CONTROL_DRAIN;
	msg.body[4] = 77;
	assert_int_equal(control_read_drain(&msg, &drain), -EBADMSG);
}

static void
test_descriptors_arrive(void **state)
{
	const int *fds = *state;
	struct control_message msg;
	uint64_t before = open_fds();
	int sent[CONTROL_FDS_MAX + 1];

	for (unsigned i = 0; i <= CONTROL_FDS_MAX; i++)
		sent[i] = STDIN_FILENO;
	assert_int_equal(control_send(fds[0], CONTROL_READY, "b", 1, sent, CONTROL_FDS_MAX), 0);
	assert_int_equal(
	    control_send(fds[0], CONTROL_READY, "b", 1, sent, CONTROL_FDS_MAX + 1), -EMSGSIZE);
	assert_int_equal(control_receive(fds[1], &msg), 1);
	assert_int_equal(msg.fd_count, CONTROL_FDS_MAX);
	assert_int_equal(open_fds(), before + CONTROL_FDS_MAX);
	for (unsigned i = 0; i < CONTROL_FDS_MAX; i++)
		assert_int_equal(fcntl(msg.fds[i], F_GETFD), FD_CLOEXEC);
	control_message_close(&msg);
	assert_int_equal(open_fds(), before);
}

static void
test_broken_messages(void **state)
{
	const int *fds = *state;
	const struct {
		struct raw_header header;
		size_t len;
		unsigned nfds;
	} cases[] = {
		{ { CONTROL_VERSION + 1, CONTROL_READY, 0 }, sizeof(struct raw_header), 0 },
		{ { 0, CONTROL_READY, 0 }, sizeof(struct raw_header), 3 },
		{ { CONTROL_VERSION, CONTROL_READY, 1 }, sizeof(struct raw_header), 0 },
		{ { CONTROL_VERSION, CONTROL_READY, 1 }, sizeof(struct raw_header) + 2, 0 },
		{ { CONTROL_VERSION, CONTROL_READY, UINT32_MAX }, sizeof(struct raw_header), 1 },
		{ { CONTROL_VERSION, CONTROL_READY, 0 }, 3, 0 },
		{ { CONTROL_VERSION, CONTROL_READY, 0 }, 0, 1 },
		{ { CONTROL_VERSION, CONTROL_READY, 0 }, sizeof(struct raw_header),
		    CONTROL_FDS_MAX + 1 },
		{ { CONTROL_VERSION, CONTROL_READY, 0 }, sizeof(struct raw_header), 40 },
		{ { CONTROL_VERSION, CONTROL_READY, CONTROL_BODY_MAX + 1 },
		    sizeof(struct raw_header) + CONTROL_BODY_MAX + 1, 2 },
	};
	char data[sizeof(struct raw_header) + CONTROL_BODY_MAX + 1] = { 0 };
	struct control_message msg;
	uint64_t before = open_fds();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memcpy(data, &cases[i].header, sizeof(cases[i].header));
		send_raw(fds[0], data, cases[i].len, cases[i].nfds);
		assert_int_equal(control_receive(fds[1], &msg), -EBADMSG);
		assert_int_equal(open_fds(), before);
	}
	/* The socket is as good as before. */
	assert_int_equal(control_send(fds[0], CONTROL_READY, "ok", 2, NULL, 0), 0);
	assert_int_equal(control_receive(fds[1], &msg), 1);
	assert_memory_equal(msg.body, "ok", 2);
}

static void
test_unknown_type_is_handed_on(void **state)
{
	const int *fds = *state;
	const struct raw_header header = { CONTROL_VERSION, 999, 0 };
	struct control_message msg;

	send_raw(fds[0], &header, sizeof(header), 0);
	assert_int_equal(control_receive(fds[1], &msg), 1);
	assert_int_equal(msg.type, 999);
}

static void
test_end_of_file(void **state)
{
	int *fds = *state;
	struct control_message msg;

	(void)close(fds[0]);
	assert_int_equal(control_receive(fds[1], &msg), 0);
	assert_int_equal(control_send(fds[1], CONTROL_READY, NULL, 0, NULL, 0), -EPIPE);
	fds[0] = -1;
}

static void
test_peer_that_does_not_read(void **state)
{
	const int *fds = *state;
	int r = 0;

	for (unsigned i = 0; i < 100000 && r == 0; i++)
		r = control_send(fds[0], CONTROL_READY, NULL, 0, NULL, 0);
	assert_int_equal(r, -EAGAIN);
}

static void
receive(const int *fds, struct control_message *ret)
{
	assert_int_equal(control_receive(fds[1], ret), 1);
}

static void
test_reload_and_its_answers(void **state)
{
	const int *fds = *state;
	struct control_message message;
	struct control_config config;
	struct control_taken taken;
	struct control_reload reload;
	struct control_outcome outcome;
	static char long_text[CONTROL_TEXT_MAX + 1];
	struct span text;

	assert_int_equal(control_send_config(fds[0], 7, STDIN_FILENO), 0);
	receive(fds, &message);
	assert_int_equal(control_read_config(&message, &config), 0);
	assert_int_equal(config.number, 7);
	assert_int_equal(control_read_taken(&message, &taken), -EBADMSG);
	control_message_close(&message);
	assert_int_equal(control_read_config(&message, &config), -EBADMSG);

	assert_int_equal(control_send_taken(fds[0], 8, -ENOMEM), 0);
	receive(fds, &message);
	assert_int_equal(control_read_taken(&message, &taken), 0);
	assert_int_equal(taken.number, 8);
	assert_int_equal(taken.status, -ENOMEM);
	assert_int_equal(control_send_taken(fds[0], 8, 1), 0);
	receive(fds, &message);
	assert_int_equal(control_read_taken(&message, &taken), -EBADMSG);

	assert_int_equal(control_send_reload(fds[0], 9), 0);
	receive(fds, &message);
	assert_int_equal(control_read_reload(&message, &reload), 0);
	assert_int_equal(reload.ticket, 9);
	assert_int_equal(control_send_reload(fds[0], 0), 0);
	receive(fds, &message);
	assert_int_equal(control_read_reload(&message, &reload), -EBADMSG);

	assert_int_equal(control_send_outcome(fds[0], 10, CONTROL_VERDICT_BAD, SPAN("no good")), 0);
	receive(fds, &message);
	assert_int_equal(control_read_outcome(&message, &outcome, &text), 0);
	assert_int_equal(outcome.ticket, 10);
	assert_int_equal(outcome.verdict, CONTROL_VERDICT_BAD);
	assert_true(span_is(text, "no good"));
	assert_int_equal(control_send_outcome(fds[0], 10, CONTROL_VERDICT_GOOD,
			     span_make(long_text, CONTROL_TEXT_MAX)),
	    0);
	receive(fds, &message);
	assert_int_equal(control_read_outcome(&message, &outcome, &text), 0);
	assert_int_equal(text.n, CONTROL_TEXT_MAX);
	assert_int_equal(control_send_outcome(fds[0], 10, CONTROL_VERDICT_GOOD,
			     span_make(long_text, sizeof(long_text))),
	    -EMSGSIZE);
	assert_int_equal(control_send_outcome(fds[0], 10, (enum control_verdict)4, SPAN("")), 0);
	receive(fds, &message);
	assert_int_equal(control_read_outcome(&message, &outcome, &text), -EBADMSG);
}

static void
test_log(void **state)
{
	int *fds = *state, log[2], fd = -1;
	struct control_message message;

	assert_int_equal(pipe(log), 0);
	assert_int_equal(control_send_log(fds[0], log[1]), 0);
	receive(fds, &message);
	assert_int_equal(control_take_log(&message, &fd), 0);
	control_message_close(&message);
	/* It is the caller's, and the same that was sent. */
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(read(log[0], &(char){ 0 }, 1), 1);
	(void)close(fd);
	assert_int_equal(control_send(fds[0], CONTROL_LOG, NULL, 0, NULL, 0), 0);
	receive(fds, &message);
	assert_int_equal(control_take_log(&message, &fd), -EBADMSG);
	assert_int_equal(control_send(fds[0], CONTROL_LOG, NULL, 0, log, 2), 0);
	receive(fds, &message);
	assert_int_equal(control_take_log(&message, &fd), -EBADMSG);
	control_message_close(&message);
	(void)close(log[0]);
	(void)close(log[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_messages_arrive_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_drain, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reload_and_its_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_log, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_descriptors_arrive, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_broken_messages, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unknown_type_is_handed_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_end_of_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_peer_that_does_not_read, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
