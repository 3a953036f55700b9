/*
 * The client's side of RFC 6455, as far as a load generator needs it. What is sent while one batch of
 * bytes is handled goes out by one system call at its end.
 */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "dialect.h"
#include "inflate.h"

enum {
	READ_BYTES = 256 * 1024,
	FROM_ONE_ADDRESS =
	    2048, /* clients; the kernel searches long for one of many thousand ports */
};

void
bench_die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("lurkbot-bench: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

static void
watch(struct client *c, int operation)
{
	struct epoll_event event = {
		.events = EPOLLIN | (c->wants_write ? (uint32_t)EPOLLOUT : 0),
		.data.ptr = c,
	};

	if (epoll_ctl(c->group->epoll_fd, operation, c->socket.fd, &event) != 0)
		bench_die("epoll_ctl: %s", strerror(errno));
}

void
client_flush(struct client *c)
{
	const struct iovec part = { .iov_base = c->out.data, .iov_len = c->out.len };
	bool wants_write;

	if (c->out.len > 0 || c->wants_write) {
		ssize_t n = stream_write(&c->socket, &part, c->out.len > 0);

		if (n < 0)
			bench_die("send: %s", stream_why(&c->socket, (int)n));
		buf_consume(&c->out, (size_t)n);
	}
	wants_write = stream_owes(&c->socket) || (c->out.len > 0 && stream_is_open(&c->socket));
	if (c->wants_write != wants_write) {
		c->wants_write = wants_write;
		watch(c, EPOLL_CTL_MOD);
	}
}

void
client_send(struct client *c, enum ws_opcode opcode, struct span payload)
{
	static const uint8_t mask[4] = { 0x12, 0x34, 0x56, 0x78 };

	frame_append_masked(&c->out, opcode, payload, mask);
	if (buf_status(&c->out) != 0)
		bench_die("out of memory");
}

static void
ask_upgrade(struct client *c)
{
	const struct dialect *d = c->group->dialect;

	buf_printf(&c->out,
	    "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
	    d->paths[c->role], c->group->port);
	if (d->protocol != NULL)
		buf_printf(&c->out, "Sec-WebSocket-Protocol: %s\r\n", d->protocol);
	if (c->group->inflater != NULL)
		buf_append_cstr(&c->out,
		    "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
		    "client_no_context_takeover\r\n");
	buf_append_cstr(&c->out, "\r\n");
	client_flush(c);
}

/* Connects from 127.0.0.1, or where there are many clients also from 127.0.0.2 and so on. */
static int
dial(struct client_group *group)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(group->port) };
	struct sockaddr_in from = { .sin_family = AF_INET };
	const int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + group->opened++ / FROM_ONE_ADDRESS);
	if (group->receive_bytes > 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &group->receive_bytes, sizeof(int));
	if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one)) != 0 ||
	    bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		bench_die("connect to 127.0.0.1:%u: %s", group->port, strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

void
client_open(struct client *c, struct client_group *group, enum client_role role)
{
	memset(c, 0, sizeof(*c));
	c->group = group;
	c->role = role;
	c->next = 1;
	c->worker = -1;
	stream_init(&c->socket, dial(group));
	if (group->tls != NULL) {
		c->socket.tls = tls_connect(group->tls, c->socket.fd, "127.0.0.1");
		if (c->socket.tls == NULL)
			bench_die("out of memory");
	}
	watch(c, EPOLL_CTL_ADD);
	ask_upgrade(c);
}

void
client_is_ready(struct client *c)
{
	if (c->state != CLIENT_READY)
		c->group->ready++;
	c->state = CLIENT_READY;
}

void
client_delivered(struct client *c, struct span payload)
{
	if (c->group->handlers->on_delivery == NULL)
		bench_die("an event for somebody who asked for none");
	c->group->handlers->on_delivery(c, payload);
}

void
client_answered(struct client *c, uint64_t id, bool ok)
{
	if (c->group->handlers->on_answer != NULL)
		c->group->handlers->on_answer(c, id, ok);
}

static void
on_message(void *owner, const struct wire_message *message)
{
	struct client *c = owner;
	struct span payload = message->payload;

	switch (message->opcode) {
	case WS_PING:
		c->group->pings++;
		client_send(c, WS_PONG, payload);
		return;
	case WS_PONG:
		return;
	case WS_CLOSE:
		bench_die("the server closes a connection: %.*s",
		    payload.n > 2 ? (int)payload.n - 2 : 0, payload.p + 2);
	default:
		break;
	}
	if (message->is_compressed) {
		if (c->group->inflater == NULL)
			bench_die("a compressed message that was not negotiated");
		payload = inflater_message(c->group->inflater, c->next, payload);
	}
	c->group->dialect->take(c, payload);
}

static void
take_bytes(struct client *c, struct span bytes)
{
	const char *fault = wire_take(&c->wire, bytes, on_message, c);

	if (fault != NULL)
		bench_die("the server breaks RFC 6455: %s", fault);
}

/* The head of the response may come together with the first frames. */
static void
take_head(struct client *c, struct span bytes)
{
	struct buf head;
	char *end;
	size_t head_len;

	buf_append_span(&c->head, bytes);
	end = memmem(c->head.data, c->head.len, "\r\n\r\n", 4);
	if (end == NULL)
		return;
	if (memcmp(c->head.data, "HTTP/1.1 101 ", 13) != 0)
		bench_die("no upgrade: %.*s", (int)c->head.len, c->head.data);
	head_len = (size_t)(end - c->head.data) + 4;
	if (memmem(c->head.data, head_len, "permessage-deflate", 18) != NULL)
		c->group->deflate++;
	head = c->head;
	c->head = (struct buf){ 0 };
	c->state = CLIENT_GREETING;
	c->group->dialect->greet(c);
	take_bytes(c, span_skip(buf_span(&head), head_len));
	buf_fini(&head);
}

void
client_on_event(struct client *c, uint32_t events)
{
	static char data[READ_BYTES];
	ssize_t n;

	if ((events & EPOLLOUT) != 0)
		client_flush(c);
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0)
		return;
	n = stream_read(&c->socket, data, sizeof(data));
	if (n == -EAGAIN) {
		client_flush(c);
		return;
	}
	if (n <= 0)
		bench_die("the server closed a connection%s%s", n < 0 ? ": " : "",
		    n < 0 ? stream_why(&c->socket, (int)n) : "");
	c->group->now_ns = clock_mono_ns();
	c->group->wire_bytes += (uint64_t)n;
	if (c->state == CLIENT_UPGRADING)
		take_head(c, span_make(data, (size_t)n));
	else
		take_bytes(c, span_make(data, (size_t)n));
	client_flush(c);
}

void
client_stop_reading(struct client *c)
{
	epoll_ctl(c->group->epoll_fd, EPOLL_CTL_DEL, c->socket.fd, NULL);
}

void
client_close(struct client *c)
{
	const struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	if (c->group == NULL)
		return;
	setsockopt(c->socket.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	stream_strip(&c->socket);
	stream_close(&c->socket);
	wire_fini(&c->wire);
	buf_fini(&c->out);
	buf_fini(&c->head);
	buf_fini(&c->stream);
	free(c->due_ns);
	memset(c, 0, sizeof(*c));
}
