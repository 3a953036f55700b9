/*
 * Sockets that listen. All are non-blocking and close-on-exec.
 *
 * TCP listeners have SO_REUSEADDR, so that a start does not wait for connections in TIME_WAIT, and
 * two options that the kernel hands on to every accepted connection: nobody has to set them again.
 * These are TCP_NODELAY and TCP_NOTSENT_LOWAT. Without the latter the kernel takes megabytes for each
 * peer that does not read, and a thousand of them leave no memory for the connections of the others.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/macros.h"

/* What the kernel takes of an accepted connection's output beyond what is under way to the peer. */
enum { LISTENER_UNSENT_BYTES = 128 * 1024 };

/* Holds `[IPv6]:port`, or `unix:` and the path of a socket, and its NUL. */
enum { LISTENER_TEXT_MAX = 120 };

/* One address to listen on, as listener_resolve finds it. */
struct listener_address {
	struct sockaddr_storage address;
	socklen_t length;
};

/*
 * Turns HOST (a number or a name, IPv4 or IPv6, brackets allowed around the latter) and PORT into
 * at most CAP addresses without duplicates, in the resolver's order. A name may block for as long
 * as the resolver takes.
 * Returns 0 with at least one address, -EADDRNOTAVAIL when the name is not known, -EAGAIN when
 * the resolver cannot say now, or another -errno.
 */
int listener_resolve(const char *host, uint16_t port, struct listener_address *ret, unsigned cap,
    unsigned *ret_count) must_check;

/* The same address with another port. */
void listener_address_set_port(struct listener_address *address, uint16_t port);

/*
 * Binds and listens on one address. RET_PORT gets the port that was bound, which matters for port
 * 0.
 * Returns 0, or -errno (-EADDRINUSE, -EADDRNOTAVAIL, -EACCES, -EAFNOSUPPORT…).
 */
int listener_open_address(const struct listener_address *address, int backlog, int *ret_fd,
    uint16_t *ret_port) must_check;

/* Both steps for the first address of HOST that can be bound. Returns what they return. */
int listener_open_tcp(
    const char *host, uint16_t port, int backlog, int *ret_fd, uint16_t *ret_port) must_check;

/*
 * Listens on a Unix stream socket at PATH, mode 0600 from its first instant. A socket file at
 * which nobody listens any more is replaced in one step; the path may be longer than sun_path.
 * Returns 0, -EADDRINUSE when somebody listens there, -EEXIST when PATH is something other than a
 * socket, or -errno.
 */
int listener_open_unix(const char *path, int backlog, int *ret_fd) must_check;

/*
 * Makes a socket that somebody else bound and listens on what those are that are opened here. Returns 0 or
 * -errno.
 */
int listener_prepare(int fd) must_check;

/* The address on which it listens. Returns 0 or -errno. */
int listener_address_get(int fd, struct listener_address *ret) must_check;

/* Whether it is the same address; ANY_PORT: whatever the port. Only IPv4 and IPv6 can be. */
bool listener_address_is_same(
    const struct listener_address *a, const struct listener_address *b, bool any_port);

/* Its port, 0 for one without. */
uint16_t listener_address_port(const struct listener_address *address);

/* `127.0.0.1:18789`, `[::1]:18789`, `unix:/run/x`, `unix:@abstract`; `unknown` when it cannot be told. */
void listener_text(int fd, char ret_text[LISTENER_TEXT_MAX]);
