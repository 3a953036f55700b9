/*
 * Why this file exists: the one encoder and the one decoder of what goes between the supervisor and
 * its children. Nothing that the peer sends can make the receiver keep a descriptor that it does
 * not hand out, or read past what arrived.
 */
#include "sys/control.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

struct header {
	uint16_t version, type;
	uint32_t length;
};

static_assert(sizeof(struct header) == 8, "as drawn in the header");
static_assert(sizeof(struct control_drain) == 8, "no hidden padding crosses the socket");
static_assert(sizeof(struct control_config) == 8, "the same");
static_assert(sizeof(struct control_taken) == 16, "the same");
static_assert(sizeof(struct control_reload) == 8, "the same");
static_assert(sizeof(struct control_outcome) == 16, "the same");

/* The kernel passes at most SCM_MAX_FD (253): with room for all of them none is lost unseen. */
enum { FDS_RECEIVED_MAX = 253 };

union ancillary_out {
	struct cmsghdr align;
	char space[CMSG_SPACE(sizeof(int) * CONTROL_FDS_MAX)];
};

union ancillary_in {
	struct cmsghdr align;
	char space[CMSG_SPACE(sizeof(int) * FDS_RECEIVED_MAX)];
};

int
control_pair(int ret_fds[2])
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return -errno;
	ret_fds[0] = fds[0];
	ret_fds[1] = fds[1];
	return 0;
}

static void
attach_descriptors(struct msghdr *msg, union ancillary_out *space, const int *fds, size_t nfds)
{
	struct cmsghdr *cmsg;

	memset(space, 0, sizeof(*space));
	msg->msg_control = space->space;
	msg->msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
	cmsg = CMSG_FIRSTHDR(msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
	memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * nfds);
}

int
control_send(
    int fd, enum control_type type, const void *body, size_t len, const int *fds, size_t nfds)
{
	struct header header = { .version = CONTROL_VERSION, .type = (uint16_t)type };
	struct iovec iov[2] = { { .iov_base = &header, .iov_len = sizeof(header) } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 1 };
	union ancillary_out space;
	ssize_t sent;

	if (len > CONTROL_BODY_MAX || nfds > CONTROL_FDS_MAX)
		return -EMSGSIZE;
	header.length = (uint32_t)len;
	if (len > 0) {
		/* sendmsg only reads it; the type of iovec cannot say so. */
		memcpy(&iov[1].iov_base, &body, sizeof(body));
		iov[1].iov_len = len;
		msg.msg_iovlen = 2;
	}
	if (nfds > 0)
		attach_descriptors(&msg, &space, fds, nfds);
	do
		sent = sendmsg(fd, &msg, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

int
control_send_drain(int fd, uint32_t timeout_ms, enum control_reason reason)
{
	struct control_drain drain = { .timeout_ms = timeout_ms, .reason = (uint8_t)reason };

	return control_send(fd, CONTROL_DRAIN, &drain, sizeof(drain), NULL, 0);
}

/* Takes all descriptors that came; fewer are kept than came when there are more than CAP. */
static unsigned
take_descriptors(struct msghdr *msg, int *fds, unsigned cap)
{
	struct cmsghdr *cmsg;
	unsigned count = 0;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg != NULL; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		size_t n;

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n && count < cap; i++, count++)
			memcpy(&fds[count], CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
	}
	return count;
}

static void
close_all(const int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
}

static bool
is_well_formed(const struct msghdr *msg, const struct header *header, size_t received, unsigned fds)
{
	if ((msg->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || fds > CONTROL_FDS_MAX)
		return false;
	if (received < sizeof(*header) || header->version != CONTROL_VERSION)
		return false;
	return header->length == received - sizeof(*header);
}

int
control_receive(int fd, struct control_message *ret_msg)
{
	struct header header = { 0 };
	char body[CONTROL_BODY_MAX];
	struct iovec iov[2] = { { &header, sizeof(header) }, { body, sizeof(body) } };
	union ancillary_in space;
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	int fds[FDS_RECEIVED_MAX];
	unsigned count;
	ssize_t n;

	msg.msg_control = space.space;
	msg.msg_controllen = sizeof(space.space);
	do
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	count = take_descriptors(&msg, fds, FDS_RECEIVED_MAX);
	if (n == 0 && count == 0)
		return 0;
	if (!is_well_formed(&msg, &header, (size_t)n, count)) {
		close_all(fds, count);
		return -EBADMSG;
	}
	ret_msg->version = header.version;
	ret_msg->type = header.type;
	ret_msg->length = header.length;
	memcpy(ret_msg->body, body, header.length);
	memcpy(ret_msg->fds, fds, sizeof(int) * count);
	ret_msg->fd_count = count;
	return 1;
}

void
control_message_close(struct control_message *msg)
{
	close_all(msg->fds, msg->fd_count);
	msg->fd_count = 0;
}

int
control_read_drain(const struct control_message *msg, struct control_drain *ret)
{
	struct control_drain drain;

	if (msg->type != CONTROL_DRAIN || msg->length != sizeof(drain))
		return -EBADMSG;
	memcpy(&drain, msg->body, sizeof(drain));
	if (drain.reason != CONTROL_REASON_STOPPING && drain.reason != CONTROL_REASON_RETIRING)
		return -EBADMSG;
	*ret = drain;
	return 0;
}

int
control_send_config(int fd, uint64_t number, int config_fd)
{
	const struct control_config config = { .number = number };

	return control_send(fd, CONTROL_CONFIG, &config, sizeof(config), &config_fd, 1);
}

int
control_send_taken(int fd, uint64_t number, int status)
{
	const struct control_taken taken = { .number = number, .status = status };

	return control_send(fd, CONTROL_TAKEN, &taken, sizeof(taken), NULL, 0);
}

int
control_send_reload(int fd, uint64_t ticket)
{
	const struct control_reload reload = { .ticket = ticket };

	return control_send(fd, CONTROL_RELOAD, &reload, sizeof(reload), NULL, 0);
}

int
control_send_outcome(int fd, uint64_t ticket, enum control_verdict verdict, struct span text)
{
	struct control_outcome outcome = { .ticket = ticket, .verdict = (uint8_t)verdict };
	char body[CONTROL_BODY_MAX];

	if (text.n > CONTROL_TEXT_MAX)
		return -EMSGSIZE;
	memcpy(body, &outcome, sizeof(outcome));
	if (text.n > 0)
		memcpy(body + sizeof(outcome), text.p, text.n);
	return control_send(fd, CONTROL_OUTCOME, body, sizeof(outcome) + text.n, NULL, 0);
}

/* Whether the message is of this type, has a body of this length, and as many descriptors. */
static bool
has_form(const struct control_message *msg, enum control_type type, size_t length, unsigned fds)
{
	return msg->type == type && msg->length == length && msg->fd_count == fds;
}

int
control_read_config(const struct control_message *msg, struct control_config *ret)
{
	if (!has_form(msg, CONTROL_CONFIG, sizeof(*ret), 1))
		return -EBADMSG;
	memcpy(ret, msg->body, sizeof(*ret));
	return 0;
}

int
control_read_taken(const struct control_message *msg, struct control_taken *ret)
{
	struct control_taken taken;

	if (!has_form(msg, CONTROL_TAKEN, sizeof(taken), 0))
		return -EBADMSG;
	memcpy(&taken, msg->body, sizeof(taken));
	if (taken.status > 0)
		return -EBADMSG;
	*ret = taken;
	return 0;
}

int
control_read_reload(const struct control_message *msg, struct control_reload *ret)
{
	struct control_reload reload;

	if (!has_form(msg, CONTROL_RELOAD, sizeof(reload), 0))
		return -EBADMSG;
	memcpy(&reload, msg->body, sizeof(reload));
	if (reload.ticket == 0)
		return -EBADMSG;
	*ret = reload;
	return 0;
}

int
control_read_outcome(
    const struct control_message *msg, struct control_outcome *ret, struct span *ret_text)
{
	struct control_outcome outcome;

	if (msg->length < sizeof(outcome) || !has_form(msg, CONTROL_OUTCOME, msg->length, 0))
		return -EBADMSG;
	memcpy(&outcome, msg->body, sizeof(outcome));
	if (outcome.verdict < CONTROL_VERDICT_GOOD || outcome.verdict > CONTROL_VERDICT_STOPPING)
		return -EBADMSG;
	*ret = outcome;
	*ret_text = span_make(msg->body + sizeof(outcome), msg->length - sizeof(outcome));
	return 0;
}

int
control_send_log(int fd, int log_fd)
{
	return control_send(fd, CONTROL_LOG, NULL, 0, &log_fd, 1);
}

int
control_take_log(struct control_message *msg, int *ret_fd)
{
	if (!has_form(msg, CONTROL_LOG, 0, 1))
		return -EBADMSG;
	*ret_fd = msg->fds[0];
	msg->fds[0] = -1;
	return 0;
}
