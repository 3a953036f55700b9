/*
 * Why this file exists: every socket that listens is opened here, with the same flags. A Unix socket
 * is made under a name of its own and moved into place, so that its path always leads either to
 * the old socket or to the new one.
 */
#include "sys/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "sys/sockets.h"

static int
resolver_error(int code)
{
	switch (code) {
	case EAI_SYSTEM:
		return -errno;
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_AGAIN:
		return -EAGAIN;
	default:
		return -EADDRNOTAVAIL;
	}
}

static bool
is_known(const struct listener_address *known, unsigned count, const struct addrinfo *found)
{
	for (unsigned i = 0; i < count; i++)
		if (known[i].length == found->ai_addrlen &&
		    memcmp(&known[i].address, found->ai_addr, found->ai_addrlen) == 0)
			return true;
	return false;
}

/* HOST without the brackets that an IPv6 address may stand in. */
static struct span
bare_host(const char *host)
{
	struct span bare = span_cstr(host);

	if (bare.n >= 2 && bare.p[0] == '[' && bare.p[bare.n - 1] == ']')
		return span_make(bare.p + 1, bare.n - 2);
	return bare;
}

int
listener_resolve(const char *host, uint16_t port, struct listener_address *ret, unsigned cap,
    unsigned *ret_count)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV
	};
	struct addrinfo *found = NULL;
	char service[8], *bare;
	unsigned count = 0;
	int r;

	bare = mem_strndup(bare_host(host));
	if (bare == NULL)
		return -ENOMEM;
	(void)snprintf(service, sizeof(service), "%u", port);
	r = getaddrinfo(bare, service, &hints, &found);
	mem_free(bare);
	if (r != 0)
		return resolver_error(r);
	for (struct addrinfo *a = found; a != NULL && count < cap; a = a->ai_next) {
		if (a->ai_addrlen > sizeof(ret->address) || is_known(ret, count, a))
			continue;
		memcpy(&ret[count].address, a->ai_addr, a->ai_addrlen);
		ret[count++].length = a->ai_addrlen;
	}
	freeaddrinfo(found);
	*ret_count = count;
	return count > 0 ? 0 : -EADDRNOTAVAIL;
}

void
listener_address_set_port(struct listener_address *address, uint16_t port)
{
	if (address->address.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&address->address)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)&address->address)->sin_port = htons(port);
}

uint16_t
listener_address_port(const struct listener_address *address)
{
	const struct sockaddr_storage *ss = &address->address;

	if (ss->ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)ss)->sin6_port);
	if (ss->ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)ss)->sin_port);
	return 0;
}

int
listener_address_get(int fd, struct listener_address *ret)
{
	struct listener_address address = { .length = sizeof(address.address) };

	if (getsockname(fd, (struct sockaddr *)&address.address, &address.length) < 0)
		return -errno;
	*ret = address;
	return 0;
}

static int
bound_port(int fd, uint16_t *ret_port)
{
	struct listener_address address;
	int r = listener_address_get(fd, &address);

	if (r == 0)
		*ret_port = listener_address_port(&address);
	return r;
}

/* What the accepted connections inherit. */
static int
set_inherited_options(int fd)
{
	const int on = 1, unsent = LISTENER_UNSENT_BYTES;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent)) < 0)
		return -errno;
	return 0;
}

static int
set_tcp_options(int fd, int family)
{
	const int on = 1, off = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	/* `::` takes IPv4 too, whatever the system's default says. */
	if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
		return -errno;
	return set_inherited_options(fd);
}

int
listener_open_address(
    const struct listener_address *address, int backlog, int *ret_fd, uint16_t *ret_port)
{
	int family = address->address.ss_family;
	uint16_t port = 0;
	int fd, r;

	fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	r = set_tcp_options(fd, family);
	if (r == 0 && (bind(fd, (const struct sockaddr *)&address->address, address->length) < 0 ||
			  listen(fd, backlog) < 0))
		r = -errno;
	if (r == 0)
		r = bound_port(fd, &port);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	*ret_fd = fd;
	*ret_port = port;
	return 0;
}

int
listener_open_tcp(const char *host, uint16_t port, int backlog, int *ret_fd, uint16_t *ret_port)
{
	struct listener_address addresses[8];
	unsigned count;
	int r, first = 0;

	r = listener_resolve(host, port, addresses, ARRAY_LEN(addresses), &count);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < count; i++) {
		r = listener_open_address(&addresses[i], backlog, ret_fd, ret_port);
		if (r == 0)
			return 0;
		if (first == 0)
			first = r;
	}
	return first;
}

/* 0 when PATH may be replaced: nothing is there, or a socket at which nobody listens. */
static int
check_replaceable(const char *path)
{
	struct stat st;
	int fd, r;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	r = socket_connect_unix(path, &fd);
	if (r == 0) {
		(void)close(fd);
		return -EADDRINUSE;
	}
	return r == -ECONNREFUSED || r == -ENOENT ? 0 : r;
}

/* A bound and listening socket at PATH, which must not exist. */
static int
open_unix_at(const char *path, int backlog, int *ret_fd)
{
	struct sockaddr_storage address;
	socklen_t length;
	int fd, folder_fd, r;

	r = socket_unix_address(path, &address, &length, &folder_fd);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* The mode of the unbound socket becomes that of the file: nobody else ever gets in. */
	if (fd < 0 || fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&address, length) < 0)
		r = -errno;
	else if (listen(fd, backlog) < 0) {
		r = -errno;
		(void)unlink(path);
	}
	if (folder_fd >= 0)
		(void)close(folder_fd);
	if (r < 0) {
		if (fd >= 0)
			(void)close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

int
listener_open_unix(const char *path, int backlog, int *ret_fd)
{
	struct buf aside = { 0 };
	char *aside_path;
	int fd, r;

	r = check_replaceable(path);
	if (r < 0)
		return r;
	buf_printf(&aside, "%s.new", path);
	aside_path = buf_steal(&aside, NULL);
	if (aside_path == NULL)
		return -ENOMEM;
	if (unlink(aside_path) < 0 && errno != ENOENT)
		r = -errno;
	if (r == 0)
		r = open_unix_at(aside_path, backlog, &fd);
	if (r == 0 && rename(aside_path, path) < 0) {
		r = -errno;
		(void)unlink(aside_path);
		(void)close(fd);
	}
	mem_free(aside_path);
	if (r == 0)
		*ret_fd = fd;
	return r;
}

/*
 * --- listeners of somebody else's -------------------------------------------------------------
 */

int
listener_prepare(int fd)
{
	struct listener_address address;
	int flags = fcntl(fd, F_GETFL), r;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	r = listener_address_get(fd, &address);
	if (r < 0 || address.address.ss_family == AF_UNIX)
		return r;
	return set_inherited_options(fd);
}

bool
listener_address_is_same(
    const struct listener_address *a, const struct listener_address *b, bool any_port)
{
	int family = a->address.ss_family;

	if (family != b->address.ss_family ||
	    (!any_port && listener_address_port(a) != listener_address_port(b)))
		return false;
	if (family == AF_INET)
		return ((const struct sockaddr_in *)&a->address)->sin_addr.s_addr ==
		       ((const struct sockaddr_in *)&b->address)->sin_addr.s_addr;
	if (family == AF_INET6)
		return IN6_ARE_ADDR_EQUAL(&((const struct sockaddr_in6 *)&a->address)->sin6_addr,
			   &((const struct sockaddr_in6 *)&b->address)->sin6_addr) &&
		       ((const struct sockaddr_in6 *)&a->address)->sin6_scope_id ==
			   ((const struct sockaddr_in6 *)&b->address)->sin6_scope_id;
	return false;
}

void
listener_text(int fd, char ret_text[LISTENER_TEXT_MAX])
{
	struct listener_address address;
	const struct sockaddr_un *un = (const struct sockaddr_un *)&address.address;
	const size_t head = offsetof(struct sockaddr_un, sun_path);
	char text[SOCKET_TEXT_MAX];
	size_t n;

	if (listener_address_get(fd, &address) < 0) {
		(void)snprintf(ret_text, LISTENER_TEXT_MAX, "unknown");
		return;
	}
	if (address.address.ss_family != AF_UNIX) {
		socket_address_text(
		    (const struct sockaddr *)&address.address, address.length, text);
		(void)snprintf(ret_text, LISTENER_TEXT_MAX, "%s", text);
		return;
	}
	n = min_size(max_size(address.length, head) - head, sizeof(un->sun_path));
	/* An abstract name begins with NUL, and ends with the address. */
	if (n > 0 && un->sun_path[0] == '\0')
		(void)snprintf(
		    ret_text, LISTENER_TEXT_MAX, "unix:@%.*s", (int)n - 1, un->sun_path + 1);
	else
		(void)snprintf(ret_text, LISTENER_TEXT_MAX, "unix:%.*s", (int)n, un->sun_path);
}
