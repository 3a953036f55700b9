/*
 * A WebSocket server for tests of a client: a child process at the other end of a connection, which
 * upgrades it and then does what a test's function says. A child that cannot go on ends with a
 * status that the test sees. Functions here, since only tests of the command line can link them.
 */
#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/buf.h"
#include "proto/frame.h"
#include "proto/handshake.h"
#include "proto/wsrecv.h"
#include "support_children.h"
#include "support_cmocka.h"

/* The server's end, in the child. */
struct peer {
	int fd;
	struct buf in;
	size_t used;
	struct wsrecv recv;
};

/* What the server does after the upgrade; returns the exit status of the child. */
typedef int (*peer_act)(struct peer *);

enum { PEER_PIECE = 4096 };

static inline bool
peer_read_more(struct peer *p)
{
	ssize_t n;

	if (!buf_reserve(&p->in, PEER_PIECE))
		return false;
	n = read(p->fd, p->in.data + p->in.len, PEER_PIECE);
	if (n > 0)
		p->in.len += (size_t)n;
	return n > 0;
}

/* Reads the request of the client. */
static inline bool
peer_read_request(struct peer *p, struct buf *ret)
{
	const char *end;

	while (p->in.len == 0 || (end = memmem(p->in.data, p->in.len, "\r\n\r\n", 4)) == NULL) {
		if (!peer_read_more(p))
			return false;
	}
	p->used = (size_t)(end - p->in.data) + 4;
	buf_append(ret, p->in.data, p->used);
	return buf_status(ret) == 0;
}

/* Sends bytes as they are. */
static inline void
peer_send(struct peer *p, struct span bytes)
{
	if (bytes.n > 0 && send(p->fd, bytes.p, bytes.n, MSG_NOSIGNAL) != (ssize_t)bytes.n)
		_exit(90);
}

/* Sends a text message. */
static inline void
peer_send_text(struct peer *p, const char *text)
{
	struct buf frame = { 0 };

	frame_append(&frame, WS_TEXT, span_cstr(text));
	peer_send(p, buf_span(&frame));
	buf_fini(&frame);
}

/* The next item of the client's, or WSRECV_MORE when it has ended. */
static inline enum wsrecv_verdict
peer_next(struct peer *p, struct wsrecv_item *ret)
{
	static const struct wsrecv_limits limits = {
		.max_message = 1 << 20,
		.max_fragments = 1,
		.expect_masked = true,
	};

	for (;;) {
		size_t used;
		enum wsrecv_verdict verdict = wsrecv_next(
		    &p->recv, &limits, p->in.data + p->used, p->in.len - p->used, &used, ret);

		p->used += used;
		if (verdict != WSRECV_MORE)
			return verdict;
		buf_reset(&p->in);
		p->used = 0;
		if (!peer_read_more(p))
			return WSRECV_MORE;
	}
}

/* Answers 101 with the key that the request asks for. */
static inline void
peer_accept_upgrade(struct peer *p, const struct buf *request)
{
	static const char field[] = "Sec-WebSocket-Key: ";
	const char *key = memmem(request->data, request->len, field, strlen(field));
	char accept[HANDSHAKE_ACCEPT_LEN + 1], answer[256];

	if (key == NULL || handshake_accept_key(span_make(key + strlen(field), 24), accept) != 0)
		_exit(91);
	snprintf(answer, sizeof(answer),
	    "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\n"
	    "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
	    accept);
	peer_send(p, span_cstr(answer));
}

/*
 * What the child does, over any connection; returns its exit status. answer NULL: it upgrades and
 * acts; else it sends these bytes as the answer to the upgrade, and ends once the client has.
 */
static inline int
support_peer_serve(int fd, const char *answer, peer_act act)
{
	struct peer p = { .fd = fd };
	struct buf request = { 0 };

	wsrecv_init(&p.recv);
	if (!peer_read_request(&p, &request))
		return 92;
	if (answer == NULL) {
		peer_accept_upgrade(&p, &request);
		return act(&p);
	}
	peer_send(&p, span_cstr(answer));
	shutdown(fd, SHUT_WR);
	while (peer_read_more(&p))
		continue;
	return 0;
}

/* Starts the child over a socket pair, and gives the client's end, which is non-blocking. */
static inline pid_t
support_peer(const char *answer, peer_act act, int *ret_fd)
{
	int fds[2];
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	pid = support_fork();
	if (pid == 0) {
		close(fds[0]);
		_exit(support_peer_serve(fds[1], answer, act));
	}
	close(fds[1]);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	*ret_fd = fds[0];
	return pid;
}
