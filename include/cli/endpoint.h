/*
 * Where a gateway is reached, and a connected socket to there: its local socket, which needs no
 * token, or a TCP address.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/span.h"

enum { ENDPOINT_PORT_DEFAULT = 18789 };

struct tls_context;

struct endpoint {
	char *socket_path; /* NULL: by TCP */
	char *host;	   /* a name or an address, without brackets; NULL: by the local socket */
	uint16_t port;
	bool is_secure; /* by TLS, and then as these say, which are the endpoint's: */
	struct tls_context *tls;
	char *target;	 /* path and query of the request, at least "/" */
	char *authority; /* what the Host header says */
	char *name;	 /* for messages: ws://127.0.0.1:18789, or the path of the socket */
};

/* The local socket at this path. 0 or -ENOMEM; ret is to be freed by endpoint_fini in any case. */
int endpoint_from_socket(struct endpoint *ret, const char *path) must_check;

/* A host without brackets and a port, by TLS or not. 0 or -ENOMEM; ret is to be freed in any case. */
int endpoint_from_address(
    struct endpoint *ret, const char *host, uint16_t port, bool is_secure) must_check;

/*
 * ws://HOST[:PORT][/PATH][?QUERY], or wss: by TLS; without a port ENDPOINT_PORT_DEFAULT. 0; -EINVAL: ret_fault says
 * what it must be; -ENOMEM. ret is to be freed in any case.
 */
int endpoint_from_url(struct endpoint *ret, struct span url, struct buf *ret_fault) must_check;

/* Frees what it holds. */
void endpoint_fini(struct endpoint *);

/*
 * Connects until the deadline (milliseconds of the monotonic clock); the socket is non-blocking and
 * close-on-exec. 0; -ETIMEDOUT; -EADDRNOTAVAIL: the host is not known; or what the last address
 * answered, such as -ECONNREFUSED, -ENOENT for a socket file that is not there.
 */
int endpoint_connect(const struct endpoint *, uint64_t deadline_ms, int *ret_fd) must_check;

/*
 * Waits until the descriptor is ready for what poll(2) calls events (or has failed), at most until
 * the deadline. 0, -ETIMEDOUT, or another -errno.
 */
int endpoint_wait(int fd, short events, uint64_t deadline_ms) must_check;
