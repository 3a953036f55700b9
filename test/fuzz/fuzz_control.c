/*
 * The control socket when the other end runs wild: messages of ours and any datagrams at all, with
 * any number of descriptors; and configurations that no supervisor packed. What must hold: a message is what was sent or is refused, and no
 * descriptor stays open that was not handed out.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "conf/conf.h"
#include "conf/pack.h"
#include "fuzz.h"
#include "sys/control.h"
#include "sys/sealed.h"

enum {
	MESSAGES_MAX = 16,
	FDS_MAX = 253,		 /* as many as the kernel passes at once */
	DATAGRAM_MAX = 5 * 1024, /* more than a message */
};

struct stage {
	int fds[2];
	int null;
};

/* The lowest descriptor that is free: it is another when one was left open. */
static int
lowest_free(const struct stage *stage)
{
	int fd = fcntl(stage->null, F_DUPFD_CLOEXEC, 0);

	must(fd >= 0);
	close(fd);
	return fd;
}

static void
stage_open(struct stage *stage)
{
	must(control_pair(stage->fds) == 0);
	stage->null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	must(stage->null >= 0);
}

/* Hands over any bytes, with `nfds` descriptors beside them. */
static void
send_raw(const struct stage *stage, struct span bytes, unsigned nfds)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	} control = { 0 };
	struct iovec iov = { .iov_len = bytes.n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fds[FDS_MAX];

	memcpy(&iov.iov_base, &bytes.p, sizeof(bytes.p));
	if (nfds > 0) {
		msg.msg_control = control.space;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		*CMSG_FIRSTHDR(&msg) = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int) * nfds),
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS };
		for (unsigned i = 0; i < nfds; i++)
			fds[i] = stage->null;
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), fds, sizeof(int) * nfds);
	}
	must(sendmsg(stage->fds[0], &msg, MSG_NOSIGNAL) == (ssize_t)bytes.n);
}

/* Nothing that these datagrams carry is sealed. */
static int
read_sealed(int fd)
{
	struct buf bytes = { 0 };
	int r = sealed_read(fd, CONF_PACK_MAX, &bytes);

	buf_fini(&bytes);
	return r;
}

/* As how many kinds of message it can be read. */
static unsigned
read_body(struct control_message *message)
{
	struct control_drain drain;
	struct control_config config;
	struct control_taken taken;
	struct control_reload reload;
	struct control_outcome outcome;
	struct span text;
	unsigned kinds = 0;
	int log_fd;

	if (control_read_drain(message, &drain) == 0) {
		kinds++;
		must(drain.reason == CONTROL_REASON_STOPPING ||
		     drain.reason == CONTROL_REASON_RETIRING);
	}
	if (control_read_config(message, &config) == 0) {
		kinds++;
		must(message->fd_count == 1 && read_sealed(message->fds[0]) < 0);
	}
	if (control_read_taken(message, &taken) == 0) {
		kinds++;
		must(taken.status <= 0);
	}
	if (control_read_reload(message, &reload) == 0) {
		kinds++;
		must(reload.ticket != 0);
	}
	if (control_read_outcome(message, &outcome, &text) == 0) {
		kinds++;
		must(text.n == message->length - sizeof(outcome));
		must(outcome.verdict >= CONTROL_VERDICT_GOOD &&
		     outcome.verdict <= CONTROL_VERDICT_STOPPING);
	}
	if (control_take_log(message, &log_fd) == 0) {
		kinds++;
		must(close(log_fd) == 0 && message->length == 0 && message->fds[0] == -1);
	}
	return kinds;
}

/* What a good receiver does with a message. */
static void
consume(struct control_message *message, struct feed *feed)
{
	must(message->version == CONTROL_VERSION && message->length <= CONTROL_BODY_MAX);
	must(message->fd_count <= CONTROL_FDS_MAX);
	for (unsigned i = 0; i < message->fd_count; i++)
		must((fcntl(message->fds[i], F_GETFD) & FD_CLOEXEC) != 0);
	must(read_body(message) <= 1);
	/* One is taken out. */
	if (message->fd_count > 0 && message->fds[message->fd_count - 1] >= 0 &&
	    feed_byte(feed) % 2 == 0) {
		close(message->fds[message->fd_count - 1]);
		message->fds[message->fd_count - 1] = -1;
	}
	control_message_close(message);
	must(message->fd_count == 0);
}

/* A datagram that is no message, unless the feed hits one. */
static void
talk_wildly(const struct stage *stage, struct feed *feed)
{
	static char bytes[DATAGRAM_MAX];
	struct control_message message;
	unsigned nfds = feed_byte(feed) % 4 == 0 ? feed_byte(feed) : feed_byte(feed) % 3;
	struct span begin = feed_span(feed, feed_byte(feed) % 64);
	size_t n = feed_byte(feed) % 4 == 0 ? feed_bytes(feed, 2) % DATAGRAM_MAX : begin.n;
	int r;

	if (nfds > FDS_MAX)
		nfds = FDS_MAX;
	if (begin.n > 0)
		memcpy(bytes, begin.p, begin.n);
	send_raw(stage, span_make(bytes, n), nfds);
	r = control_receive(stage->fds[1], &message);
	must(r == 1 || r == -EBADMSG || (r == 0 && n == 0 && nfds == 0));
	if (r != 1)
		return;
	must(message.fd_count == nfds && message.length + 8 == n);
	must(memcmp(message.body, bytes + 8, message.length) == 0);
	consume(&message, feed);
}

static void
talk_properly(const struct stage *stage, struct feed *feed)
{
	struct control_message message;
	const int fds[CONTROL_FDS_MAX + 1] = { stage->null, stage->null, stage->null, stage->null,
		stage->null, stage->null, stage->null, stage->null, stage->null };
	enum control_type type = (enum control_type)feed_byte(feed);
	size_t nfds = feed_byte(feed) % (CONTROL_FDS_MAX + 2);
	struct span body = feed_span(feed, feed_byte(feed));
	int r = control_send(stage->fds[0], type, body.p, body.n, fds, nfds);

	must(r == (nfds > CONTROL_FDS_MAX ? -EMSGSIZE : 0));
	if (r < 0)
		return;
	must(control_receive(stage->fds[1], &message) == 1);
	must(message.type == type && message.fd_count == nfds);
	must(span_is_equal(span_make(message.body, message.length), body));
	consume(&message, feed);
}

/* Any bytes for a configuration: sealed, handed over, read and unpacked as a worker does it. */
static void
hand_over(const struct stage *stage, struct feed *feed)
{
	struct span bytes = feed_span(feed, feed_bytes(feed, 2));
	struct control_message message;
	struct control_config config;
	struct buf out = { 0 }, again = { 0 };
	struct conf *conf = NULL;
	int fd = -1;

	must(sealed_new("fuzz", bytes, &fd) == 0);
	must(control_send_config(stage->fds[0], 1, fd) == 0);
	close(fd);
	must(control_receive(stage->fds[1], &message) == 1);
	must(control_read_config(&message, &config) == 0);
	must(sealed_read(message.fds[0], CONF_PACK_MAX, &out) == 0);
	control_message_close(&message);
	must(span_is_equal(buf_span(&out), bytes));
	if (conf_unpack(buf_span(&out), &conf) == 0) {
		conf_pack(conf, &again);
		must(span_is_equal(buf_span(&again), bytes));
		conf_free(conf);
	}
	buf_fini(&out);
	buf_fini(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static struct stage stage;
	struct feed feed = { bytes, n };
	struct control_message message;
	int lowest;

	if (stage.null == 0)
		stage_open(&stage);
	lowest = lowest_free(&stage);
	for (unsigned i = 0; i < MESSAGES_MAX && feed.n > 0; i++) {
		switch (feed_byte(&feed) % 8) {
		case 0:
		case 4:
			talk_properly(&stage, &feed);
			break;
		case 7:
			hand_over(&stage, &feed);
			break;
		default:
			talk_wildly(&stage, &feed);
			break;
		}
		must(lowest_free(&stage) == lowest);
	}
	must(control_receive(stage.fds[1], &message) == -EAGAIN);
	return 0;
}
