/*
 * Addresses as people write them, and connecting with a deadline. Names are resolved by the
 * blocking resolver: its own limits hold.
 */
#include "cli/endpoint.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "proto/uri.h"
#include "sys/listener.h"
#include "sys/sockets.h"
#include "sys/tls_context.h"

enum { ADDRESSES_MAX = 8, RETRY_MS = 20 };

int
endpoint_from_socket(struct endpoint *ret, const char *path)
{
	*ret = (struct endpoint){
		.socket_path = mem_strndup(span_cstr(path)),
		.target = mem_strndup(SPAN("/")),
		.authority = mem_strndup(SPAN("localhost")),
		.name = mem_strndup(span_cstr(path)),
	};
	if (ret->socket_path == NULL || ret->target == NULL || ret->authority == NULL ||
	    ret->name == NULL)
		return -ENOMEM;
	return 0;
}

/* The host is without brackets; the target begins with a slash. */
static int
fill(struct endpoint *ret, bool is_secure, struct span host, uint16_t port, struct span target)
{
	bool is_v6 = memchr(host.p, ':', host.n) != NULL;
	const char *zone = memchr(host.p, '%', host.n);
	struct span plain = span_make(host.p, zone != NULL ? (size_t)(zone - host.p) : host.n);
	struct buf authority = { 0 }, name = { 0 };

	/* A zone means something on this machine only (RFC 6874 section 4). */
	buf_printf(&authority, is_v6 ? "[%.*s]:%u" : "%.*s:%u", SPAN_ARGS(plain), port);
	buf_printf(&name, "%s://%.*s", is_secure ? "wss" : "ws", SPAN_ARGS(buf_span(&authority)));
	if (!span_is(target, "/"))
		buf_append_span(&name, target);
	*ret = (struct endpoint){
		.host = mem_strndup(host),
		.port = port,
		.is_secure = is_secure,
		.target = mem_strndup(target),
		.authority = buf_steal(&authority, NULL),
		.name = buf_steal(&name, NULL),
	};
	if (ret->host == NULL || ret->target == NULL || ret->authority == NULL || ret->name == NULL)
		return -ENOMEM;
	return 0;
}

int
endpoint_from_address(struct endpoint *ret, const char *host, uint16_t port, bool is_secure)
{
	return fill(ret, is_secure, span_cstr(host), port, SPAN("/"));
}

static const char wanted_url[] = "must be ws://HOST[:PORT][/PATH], or wss://";

/* Takes the scheme off; false: it is neither ws nor wss. */
static bool
skip_scheme(struct span *url, bool *ret_is_secure, struct buf *ret_fault)
{
	*ret_is_secure = span_has_prefix(*url, SPAN("wss://"));
	if (*ret_is_secure || span_has_prefix(*url, SPAN("ws://"))) {
		*url = span_skip(*url, *ret_is_secure ? 6 : 5);
		return true;
	}
	buf_append_cstr(ret_fault, wanted_url);
	return false;
}

/* The request target begins where the authority ends; without a path it is "/" and the query. */
static int
make_target(struct span rest, struct buf *ret_target)
{
	struct uri_target parsed;

	if (rest.n == 0 || rest.p[0] != '/')
		buf_append_byte(ret_target, '/');
	buf_append_span(ret_target, rest);
	if (buf_status(ret_target) != 0)
		return -ENOMEM;
	return uri_target_parse(buf_span(ret_target), &parsed);
}

int
endpoint_from_url(struct endpoint *ret, struct span url, struct buf *ret_fault)
{
	struct uri_authority authority;
	struct buf target = { 0 };
	bool is_secure;
	size_t n = 0;
	int rc;

	*ret = (struct endpoint){ 0 };
	if (!skip_scheme(&url, &is_secure, ret_fault))
		return -EINVAL;
	while (n < url.n && memchr("/?#", url.p[n], 3) == NULL)
		n++;
	rc = make_target(span_skip(url, n), &target);
	if (rc == 0)
		rc = uri_authority_parse(span_make(url.p, n), &authority);
	if (rc == -EINVAL)
		buf_append_cstr(ret_fault, wanted_url);
	if (rc == 0) {
		struct span host = authority.host;
		int port = authority.port != URI_PORT_NONE ? authority.port : ENDPOINT_PORT_DEFAULT;

		if (host.p[0] == '[')
			host = span_make(host.p + 1, host.n - 2);
		rc = fill(ret, is_secure, host, (uint16_t)port, buf_span(&target));
	}
	buf_fini(&target);
	return rc;
}

void
endpoint_fini(struct endpoint *e)
{
	mem_free(e->socket_path);
	mem_free(e->host);
	mem_free(e->target);
	mem_free(e->authority);
	mem_free(e->name);
	tls_context_unref(e->tls);
	*e = (struct endpoint){ 0 };
}

int
endpoint_wait(int fd, short events, uint64_t deadline_ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	for (;;) {
		uint64_t now_ms = clock_mono_ms();
		uint64_t left_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
		int n = poll(&p, 1, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms);

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0 && clock_mono_ms() >= deadline_ms)
			return -ETIMEDOUT;
	}
}

static int
finish_connect(int fd, uint64_t deadline_ms)
{
	int error = 0;
	socklen_t length = sizeof(error);
	int rc = endpoint_wait(fd, POLLOUT, deadline_ms);

	if (rc != 0)
		return rc;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
		return -errno;
	return -error;
}

/* A local socket whose queue is full says EAGAIN, and does not tell when there is room. */
static int
connect_address(
    int fd, const struct sockaddr_storage *address, socklen_t length, uint64_t deadline_ms)
{
	for (;;) {
		if (connect(fd, (const struct sockaddr *)address, length) == 0)
			return 0;
		if (errno == EINPROGRESS)
			return finish_connect(fd, deadline_ms);
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (clock_mono_ms() >= deadline_ms)
			return -ETIMEDOUT;
		poll(NULL, 0, RETRY_MS);
	}
}

static int
open_and_connect(
    const struct sockaddr_storage *address, socklen_t length, uint64_t deadline_ms, int *ret_fd)
{
	int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int rc, one = 1;

	if (fd < 0)
		return -errno;
	rc = connect_address(fd, address, length, deadline_ms);
	if (rc != 0) {
		close(fd);
		return rc;
	}
	if (address->ss_family != AF_UNIX) {
		/* Both are improvements only. */
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	}
	*ret_fd = fd;
	return 0;
}

static int
connect_local(const char *path, uint64_t deadline_ms, int *ret_fd)
{
	struct sockaddr_storage address;
	socklen_t length;
	int folder_fd;
	int rc = socket_unix_address(path, &address, &length, &folder_fd);

	if (rc != 0)
		return rc;
	rc = open_and_connect(&address, length, deadline_ms, ret_fd);
	if (folder_fd >= 0)
		close(folder_fd);
	return rc;
}

int
endpoint_connect(const struct endpoint *e, uint64_t deadline_ms, int *ret_fd)
{
	struct listener_address addresses[ADDRESSES_MAX];
	unsigned count = 0;
	int rc;

	if (e->socket_path != NULL)
		return connect_local(e->socket_path, deadline_ms, ret_fd);
	rc = listener_resolve(e->host, e->port, addresses, ADDRESSES_MAX, &count);
	if (rc != 0)
		return rc;
	for (unsigned i = 0; i < count; i++) {
		rc = open_and_connect(
		    &addresses[i].address, addresses[i].length, deadline_ms, ret_fd);
		if (rc == 0)
			break;
	}
	return rc;
}
