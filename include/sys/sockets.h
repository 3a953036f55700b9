/*
 * Connected sockets: who is at the other end, and how to reach a Unix socket whose path is long.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/ip.h"
#include "base/macros.h"

enum {
	SOCKET_TEXT_MAX = 64,  /* holds `[IPv6]:port` and its NUL */
	SOCKET_PATH_CAP = 108, /* sun_path */
};

/*
 * Writes an address as `127.0.0.1:5000`, `[::1]:5000` (IPv4 in IPv6 is shown as IPv4), `unix`, or
 * `unknown`.
 */
void socket_address_text(
    const struct sockaddr *address, socklen_t length, char ret_text[SOCKET_TEXT_MAX]);

/* Who is at the other end, as short as it can be kept. */
struct socket_peer {
	uint8_t address[16]; /* the first 4 bytes of it for AF_INET */
	uint16_t port;	     /* in the order of this machine */
	sa_family_t family;  /* AF_INET, AF_INET6, AF_UNIX; AF_UNSPEC: it is not known any more */
};

/* The peer of FD. */
void socket_peer_get(int fd, struct socket_peer *ret);

/* Writes it as socket_address_text does, and returns ret_text. */
const char *socket_peer_text(const struct socket_peer *peer, char ret_text[SOCKET_TEXT_MAX]);

/*
 * Sends the bytes of `count` parts, at least one, in their order, without waiting and without SIGPIPE. Returns how
 * many the kernel took, 0 where it has no room at present; -errno for a socket of no more use.
 */
ssize_t socket_send(int fd, const struct iovec *parts, size_t count) must_check;

/* Whether a send that failed with this errno failed only because the socket has no room at present. */
bool socket_is_full(int error);

/*
 * The uid of the process at the other end of a Unix socket, when it connected. Returns 0 or
 * -errno.
 */
int socket_peer_uid(int fd, uid_t *ret_uid) must_check;

/*
 * Makes an address for PATH. A path that does not fit goes through /proc/self/fd/N of its folder,
 * which is opened for it: RET_FOLDER_FD gets that descriptor, to be closed after the bind or
 * connect, or -1.
 * Returns 0, -ENAMETOOLONG when the file name alone is too long, or -errno.
 */
int socket_unix_address(const char *path, struct sockaddr_storage *ret, socklen_t *ret_length,
    int *ret_folder_fd) must_check;

/*
 * Connects to the Unix stream socket at PATH, blocking; the socket is close-on-exec.
 * Returns 0, -ENOENT, -ECONNREFUSED, or another -errno.
 */
int socket_connect_unix(const char *path, int *ret_fd) must_check;

/*
 * Whether the peer is on this machine: 127.0.0.0/8, ::1, the first as IPv6, or no IP address at all.
 * False where it is not known.
 */
bool socket_peer_is_loopback(const struct socket_peer *);

/* The IP address of the peer. False where it has none. */
bool socket_peer_ip(const struct socket_peer *, struct ip *ret);

/* Makes it the peer of this address, at a port that is not known. */
void socket_peer_set_ip(struct socket_peer *, const struct ip *);

/* The IP address at which the connected socket was reached. 0; -EAFNOSUPPORT; or another -errno. */
int socket_local_ip(int fd, struct ip *ret) must_check;
