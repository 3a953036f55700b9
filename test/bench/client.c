/*
 * The client's side of RFC 6455, on the project's own receiver and framer.
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

#include "proto/frame.h"

enum { READ_BYTES = 256 * 1024 };

static const struct wsrecv_limits limits = {
	.max_message = 64 * 1024 * 1024,
	.max_fragments = 1024,
	.allow_binary = true,
	.expect_masked = false,
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

	if (epoll_ctl(c->epoll_fd, operation, c->fd, &event) != 0)
		bench_die("epoll_ctl: %s", strerror(errno));
}

static void
flush(struct client *c)
{
	while (c->out.len > 0) {
		ssize_t n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0)
			buf_consume(&c->out, (size_t)n);
		else if (errno == EAGAIN)
			break;
		else if (errno != EINTR)
			bench_die("send: %s", strerror(errno));
	}
	if (c->wants_write != (c->out.len > 0)) {
		c->wants_write = c->out.len > 0;
		watch(c, EPOLL_CTL_MOD);
	}
}

void
client_send(struct client *c, struct span text)
{
	static const uint8_t mask[4] = { 0x12, 0x34, 0x56, 0x78 };

	frame_append_masked(&c->out, WS_TEXT, text, mask);
	flush(c);
}

void
client_open(struct client *c, int epoll_fd, uint16_t port, const char *subscribe,
    client_message_fn on_message, void *owner)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	const int one = 1;

	memset(c, 0, sizeof(*c));
	wsrecv_init(&c->recv);
	c->epoll_fd = epoll_fd;
	c->on_message = on_message;
	c->owner = owner;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		bench_die("connect: %s", strerror(errno));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	buf_printf(&c->out,
	    "GET / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
	    port);
	watch(c, EPOLL_CTL_ADD);
	flush(c);
	buf_printf(&c->head,
	    "{\"type\":\"hello\",\"minProtocol\":1,\"maxProtocol\":1,\"client\":{\"id\":\"bench\","
	    "\"version\":\"1\",\"platform\":\"linux\",\"mode\":\"cli\"},\"subscribe\":%s}",
	    subscribe);
	client_send(c, buf_span(&c->head));
	buf_reset(&c->head);
}

static bool
take_messages(struct client *c, char *data, size_t len)
{
	struct wsrecv_item item;
	size_t used;

	for (;;) {
		switch (wsrecv_next(&c->recv, &limits, data, len, &used, &item)) {
		case WSRECV_MORE:
			return true;
		case WSRECV_TEXT:
			if (c->state == CLIENT_READY)
				c->on_message(c, item.payload);
			else if (memmem(item.payload.p, item.payload.n, "\"hello-ok\"", 10) == NULL)
				bench_die("no hello-ok: %.*s", (int)item.payload.n, item.payload.p);
			c->state = CLIENT_READY;
			break;
		case WSRECV_BINARY:
		case WSRECV_PING:
		case WSRECV_PONG:
			break;
		case WSRECV_CLOSE:
		case WSRECV_FAIL:
			return false;
		}
		data += used;
		len -= used;
	}
}

/* The head of the response may come together with the first frames. */
static bool
take_head(struct client *c, const char *data, size_t len)
{
	char *end;
	size_t head_len;

	buf_append(&c->head, data, len);
	end = memmem(c->head.data, c->head.len, "\r\n\r\n", 4);
	if (end == NULL)
		return true;
	if (memcmp(c->head.data, "HTTP/1.1 101 ", 13) != 0)
		bench_die("no upgrade: %.*s", (int)c->head.len, c->head.data);
	head_len = (size_t)(end - c->head.data) + 4;
	c->state = CLIENT_GREETING;
	return take_messages(c, c->head.data + head_len, c->head.len - head_len);
}

bool
client_on_event(struct client *c, uint32_t events)
{
	static char data[READ_BYTES];
	ssize_t n;

	if ((events & EPOLLOUT) != 0)
		flush(c);
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0)
		return true;
	n = recv(c->fd, data, sizeof(data), MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	if (c->state == CLIENT_UPGRADING)
		return take_head(c, data, (size_t)n);
	return take_messages(c, data, (size_t)n);
}

void
client_close(struct client *c)
{
	close(c->fd);
	wsrecv_fini(&c->recv);
	buf_fini(&c->out);
	buf_fini(&c->head);
}
