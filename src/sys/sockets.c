/*
 * Why this file exists: addresses as people read them, and Unix sockets whose path does not fit
 * into sockaddr_un: those are reached through /proc/self/fd/N, which is short.
 */
#include "sys/sockets.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"

static_assert(sizeof(((struct sockaddr_un *)0)->sun_path) == SOCKET_PATH_CAP, "Linux says 108");
static_assert(SOCKET_TEXT_MAX >= INET6_ADDRSTRLEN + sizeof("[]:65535"), "room for the longest");

static void
ipv4_text(const struct in_addr *address, uint16_t port, char ret_text[SOCKET_TEXT_MAX])
{
	char host[INET_ADDRSTRLEN];

	(void)inet_ntop(AF_INET, address, host, sizeof(host));
	(void)snprintf(ret_text, SOCKET_TEXT_MAX, "%s:%u", host, ntohs(port));
}

static void
ipv6_text(const struct sockaddr_in6 *in6, char ret_text[SOCKET_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN];

	if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		struct in_addr in4;

		memcpy(&in4, &in6->sin6_addr.s6_addr[12], sizeof(in4));
		ipv4_text(&in4, in6->sin6_port, ret_text);
		return;
	}
	(void)inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
	(void)snprintf(ret_text, SOCKET_TEXT_MAX, "[%s]:%u", host, ntohs(in6->sin6_port));
}

void
socket_address_text(
    const struct sockaddr *address, socklen_t length, char ret_text[SOCKET_TEXT_MAX])
{
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;

	if (length >= sizeof(in4) && address->sa_family == AF_INET) {
		memcpy(&in4, address, sizeof(in4));
		ipv4_text(&in4.sin_addr, in4.sin_port, ret_text);
	} else if (length >= sizeof(in6) && address->sa_family == AF_INET6) {
		memcpy(&in6, address, sizeof(in6));
		ipv6_text(&in6, ret_text);
	} else if (length >= sizeof(sa_family_t) && address->sa_family == AF_UNIX) {
		(void)snprintf(ret_text, SOCKET_TEXT_MAX, "unix");
	} else {
		(void)snprintf(ret_text, SOCKET_TEXT_MAX, "unknown");
	}
}

static void
read_address(const struct sockaddr_storage *storage, socklen_t length, struct socket_peer *ret)
{
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;

	*ret = (struct socket_peer){ .family = storage->ss_family };
	if (storage->ss_family == AF_INET && length >= sizeof(in4)) {
		memcpy(&in4, storage, sizeof(in4));
		ret->port = ntohs(in4.sin_port);
		memcpy(ret->address, &in4.sin_addr, sizeof(in4.sin_addr));
	} else if (storage->ss_family == AF_INET6 && length >= sizeof(in6)) {
		memcpy(&in6, storage, sizeof(in6));
		ret->port = ntohs(in6.sin6_port);
		memcpy(ret->address, &in6.sin6_addr, sizeof(in6.sin6_addr));
	}
}

void
socket_peer_get(int fd, struct socket_peer *ret)
{
	struct sockaddr_storage storage;
	socklen_t length = sizeof(storage);

	*ret = (struct socket_peer){ .family = AF_UNSPEC };
	if (getpeername(fd, (struct sockaddr *)&storage, &length) == 0)
		read_address(&storage, length, ret);
}

const char *
socket_peer_text(const struct socket_peer *peer, char ret_text[SOCKET_TEXT_MAX])
{
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(peer->port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(peer->port) };
	struct sockaddr other = { .sa_family = peer->family };

	memcpy(&in4.sin_addr, peer->address, sizeof(in4.sin_addr));
	memcpy(&in6.sin6_addr, peer->address, sizeof(in6.sin6_addr));
	if (peer->family == AF_INET)
		socket_address_text((struct sockaddr *)&in4, sizeof(in4), ret_text);
	else if (peer->family == AF_INET6)
		socket_address_text((struct sockaddr *)&in6, sizeof(in6), ret_text);
	else
		socket_address_text(&other, sizeof(other), ret_text);
	return ret_text;
}

bool
socket_is_full(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS;
}

ssize_t
socket_send(int fd, const struct iovec *parts, size_t count)
{
	enum { FLAGS = MSG_NOSIGNAL | MSG_DONTWAIT };
	struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)parts,
		.msg_iovlen = count };
	ssize_t n;

	do
		n = count == 1 ? send(fd, parts->iov_base, parts->iov_len, FLAGS)
			       : sendmsg(fd, &message, FLAGS);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return socket_is_full(errno) ? 0 : -errno;
	return n;
}

bool
socket_peer_ip(const struct socket_peer *peer, struct ip *ret)
{
	if (peer->family == AF_INET)
		ip_set_v4(ret, peer->address);
	else if (peer->family == AF_INET6)
		memcpy(ret->bytes, peer->address, sizeof(ret->bytes));
	return peer->family == AF_INET || peer->family == AF_INET6;
}

void
socket_peer_set_ip(struct socket_peer *peer, const struct ip *ip)
{
	*peer = (struct socket_peer){ .family = AF_INET6 };
	memcpy(peer->address, ip->bytes, sizeof(ip->bytes));
}

bool
socket_peer_is_loopback(const struct socket_peer *peer)
{
	struct ip ip;

	return socket_peer_ip(peer, &ip) ? ip_is_loopback(&ip) : peer->family == AF_UNIX;
}

int
socket_local_ip(int fd, struct ip *ret)
{
	struct sockaddr_storage storage;
	socklen_t length = sizeof(storage);
	struct socket_peer local;

	if (getsockname(fd, (struct sockaddr *)&storage, &length) < 0)
		return -errno;
	read_address(&storage, length, &local);
	return socket_peer_ip(&local, ret) ? 0 : -EAFNOSUPPORT;
}

int
socket_peer_uid(int fd, uid_t *ret_uid)
{
	struct ucred cred;
	socklen_t length = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &length) < 0)
		return -errno;
	/* What is no Unix socket, or is not connected, answers with nobody in particular. */
	if (cred.pid == 0 && cred.uid == (uid_t)-1)
		return -ENOTCONN;
	*ret_uid = cred.uid;
	return 0;
}

/* Opens the folder of PATH, and gives where the file's name begins. */
static int
open_folder(const char *path, int *ret_fd, const char **ret_file)
{
	const char *slash = strrchr(path, '/');
	char *folder;
	int fd;

	if (slash == NULL)
		return -ENAMETOOLONG;
	folder = mem_strndup(span_make(path, slash == path ? 1 : (size_t)(slash - path)));
	if (folder == NULL)
		return -ENOMEM;
	fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	mem_free(folder);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	*ret_file = slash + 1;
	return 0;
}

int
socket_unix_address(
    const char *path, struct sockaddr_storage *ret, socklen_t *ret_length, int *ret_folder_fd)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = -1, n, r;

	if (strlen(path) < sizeof(un.sun_path)) {
		memcpy(un.sun_path, path, strlen(path) + 1);
	} else {
		const char *file = NULL;

		r = open_folder(path, &fd, &file);
		if (r < 0)
			return r;
		n = snprintf(un.sun_path, sizeof(un.sun_path), "/proc/self/fd/%d/%s", fd, file);
		if (n < 0 || (size_t)n >= sizeof(un.sun_path)) {
			(void)close(fd);
			return -ENAMETOOLONG;
		}
	}
	memcpy(ret, &un, sizeof(un));
	*ret_length = sizeof(un);
	*ret_folder_fd = fd;
	return 0;
}

int
socket_connect_unix(const char *path, int *ret_fd)
{
	struct sockaddr_storage address;
	socklen_t length;
	int fd, folder_fd, r;

	r = socket_unix_address(path, &address, &length, &folder_fd);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, length) < 0)
		r = -errno;
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
