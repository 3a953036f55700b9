/*
 * One thread, one epoll. What is dropped is freed after the batch of events in which that happened.
 */
#include "loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "proto/frame.h"

enum { READ_BYTES = 256 * 1024, EVENTS_AT_ONCE = 256, KEY_BYTES = 4 };

enum role { ROLE_NEW, ROLE_SUBSCRIBER, ROLE_PUBLISHER, ROLE_ECHO, ROLE_INBOX, ROLE_LISTENER };

struct member {
	struct recipient recipient;
	enum role role;
	bool is_gone;
	struct buf in; /* of what cannot be handled before more comes */
	size_t at;     /* among the subscribers */
};

struct loop {
	const struct loop_setup *setup;
	struct sender *sender;
	int epoll_fd;
	struct recipient **subscribers; /* each begins a member */
	size_t count, room;
	struct buf run; /* frames for all, in one piece */
	struct member **gone;
	size_t gone_count, gone_room;
};

/* To the key that lurkbot-bench sends, which is the one of RFC 6455 section 1.3. */
static const char upgraded[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
			       "Connection: Upgrade\r\n"
			       "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

static void
die(const char *what)
{
	fprintf(stderr, "bareloop: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *
grow(void *array, size_t count, size_t *room, size_t each)
{
	if (count < *room)
		return array;
	*room = *room == 0 ? 256 : *room * 2;
	array = realloc(array, *room * each);
	if (array == NULL)
		die("memory");
	return array;
}

static struct member *
member_new(struct loop *l, int fd, enum role role)
{
	struct member *m = calloc(1, sizeof(*m));
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = m };

	if (m == NULL)
		die("memory");
	m->recipient = (struct recipient){ .fd = fd, .slot = -1 };
	m->role = role;
	if (role == ROLE_LISTENER)
		event.events |= EPOLLEXCLUSIVE;
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		die("epoll_ctl");
	return m;
}

static void
drop(struct loop *l, struct member *m)
{
	if (m->is_gone)
		return;
	m->is_gone = true;
	if (m->role == ROLE_SUBSCRIBER) {
		struct recipient *last = l->subscribers[--l->count];

		sender_remove(l->sender, &m->recipient);
		l->subscribers[m->at] = last;
		((struct member *)last)->at = m->at;
	}
	close(m->recipient.fd);
	l->gone = grow(l->gone, l->gone_count, &l->gone_room, sizeof(*l->gone));
	l->gone[l->gone_count++] = m;
}

static void
bury(struct loop *l)
{
	while (l->gone_count > 0) {
		struct member *m = l->gone[--l->gone_count];

		buf_fini(&m->in);
		free(m);
	}
}

static void
on_connection(struct loop *l, struct member *listener)
{
	const int one = 1;
	int fd = accept4(listener->recipient.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	member_new(l, fd, ROLE_NEW);
}

static void
become(struct loop *l, struct member *m)
{
	struct span head = buf_span(&m->in);

	if (span_has_prefix(head, SPAN("GET /pub "))) {
		m->role = ROLE_PUBLISHER;
	} else if (span_has_prefix(head, SPAN("GET /echo "))) {
		m->role = ROLE_ECHO;
	} else {
		m->role = ROLE_SUBSCRIBER;
		l->subscribers = grow(l->subscribers, l->count, &l->room, sizeof(*l->subscribers));
		sender_add(l->sender, &m->recipient);
		m->at = l->count;
		l->subscribers[l->count++] = &m->recipient;
	}
	buf_fini(&m->in);
	if (send(m->recipient.fd, upgraded, sizeof(upgraded) - 1, MSG_NOSIGNAL) < 0)
		drop(l, m);
}

static void
take_head(struct loop *l, struct member *m, struct span bytes)
{
	buf_append_span(&m->in, bytes);
	if (memmem(m->in.data, m->in.len, "\r\n\r\n", 4) != NULL)
		become(l, m);
}

/*
 * Takes the frame at the beginning of bytes and appends it, unmasked, to out. Returns its length, 0
 * when it is not whole.
 */
static size_t
take_frame(struct buf *out, struct span bytes)
{
	size_t header = frame_payload_offset(bytes), total = (size_t)frame_total(bytes);
	bool is_masked = bytes.n >= 2 && ((uint8_t)bytes.p[1] & 0x80) != 0;
	const char *key = bytes.p + header;
	uint8_t mask[KEY_BYTES];
	size_t before = out->len;

	if (header == 0)
		return 0;
	if (is_masked) {
		header += KEY_BYTES;
		total += KEY_BYTES;
	}
	if (total > bytes.n)
		return 0;
	frame_append(
	    out, (enum ws_opcode)(bytes.p[0] & 0x0f), span_make(bytes.p + header, total - header));
	if (is_masked) {
		memcpy(mask, key, KEY_BYTES);
		before += frame_header_size(total - header);
		frame_mask(out->data + before, total - header, mask, 0);
	}
	return total;
}

static void
take_frames(struct member *m, struct buf *out, struct span bytes)
{
	bool is_kept = m->in.len > 0;
	struct span rest = bytes;
	size_t used;

	if (is_kept) {
		buf_append_span(&m->in, bytes);
		rest = buf_span(&m->in);
	}
	while ((used = take_frame(out, rest)) > 0)
		rest = span_skip(rest, used);
	if (is_kept)
		buf_consume(&m->in, m->in.len - rest.n);
	else
		buf_append_span(&m->in, rest);
}

static void
give_to_others(struct loop *l)
{
	for (unsigned i = 0; i < l->setup->other_count; i++) {
		struct span rest = buf_span(&l->run);

		while (rest.n > 0) {
			ssize_t n = write(l->setup->others[i], rest.p, rest.n);

			if (n < 0)
				die("another process");
			rest = span_skip(rest, (size_t)n);
		}
	}
}

static void
give_to_all(struct loop *l, bool is_own)
{
	if (l->run.len == 0)
		return;
	if (is_own)
		give_to_others(l);
	sender_send(l->sender, l->subscribers, l->count, buf_span(&l->run));
	for (size_t i = l->count; i-- > 0;)
		if (l->subscribers[i]->is_broken)
			drop(l, (struct member *)l->subscribers[i]);
	buf_reset(&l->run);
}

static void
echo(struct loop *l, struct member *m)
{
	struct span out = buf_span(&l->run);

	if (out.n > 0 && send(m->recipient.fd, out.p, out.n, MSG_NOSIGNAL) != (ssize_t)out.n)
		drop(l, m);
	buf_reset(&l->run);
}

static void
take_bytes(struct loop *l, struct member *m, struct span bytes)
{
	switch (m->role) {
	case ROLE_NEW:
		take_head(l, m, bytes);
		break;
	case ROLE_ECHO:
		take_frames(m, &l->run, bytes);
		echo(l, m);
		break;
	case ROLE_PUBLISHER:
	case ROLE_INBOX:
		take_frames(m, &l->run, bytes);
		break;
	case ROLE_SUBSCRIBER:
	case ROLE_LISTENER:
		break;
	}
}

/* Events are drained before they are sent, so that all that are there go together. */
static void
on_readable(struct loop *l, struct member *m)
{
	static char data[READ_BYTES];
	bool is_source = m->role == ROLE_PUBLISHER || m->role == ROLE_INBOX;
	ssize_t n;

	do {
		n = recv(m->recipient.fd, data, sizeof(data), MSG_DONTWAIT);
		if (n > 0)
			take_bytes(l, m, span_make(data, (size_t)n));
	} while (n > 0 && is_source);
	if (is_source)
		give_to_all(l, m->role == ROLE_PUBLISHER);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		drop(l, m);
}

static void
open_loop(struct loop *l, const struct loop_setup *setup)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		die("getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		die("setrlimit");
	*l = (struct loop){ .setup = setup, .epoll_fd = epoll_create1(EPOLL_CLOEXEC) };
	if (l->epoll_fd < 0)
		die("epoll_create1");
	l->sender =
	    sender_new(setup->sender, limit.rlim_cur < 32768 ? (unsigned)limit.rlim_cur : 32768);
	member_new(l, setup->listener, ROLE_LISTENER);
	if (setup->inbox >= 0)
		member_new(l, setup->inbox, ROLE_INBOX);
}

void
loop_run(const struct loop_setup *setup)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	struct loop l;

	open_loop(&l, setup);
	for (;;) {
		int n = epoll_wait(l.epoll_fd, events, EVENTS_AT_ONCE, -1);

		for (int i = 0; i < n; i++) {
			struct member *m = events[i].data.ptr;

			if (m->is_gone)
				continue;
			if (m->role == ROLE_LISTENER)
				on_connection(&l, m);
			else
				on_readable(&l, m);
		}
		bury(&l);
	}
}
