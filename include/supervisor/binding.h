/*
 * The TCP addresses of the gateway: bound before anything else is done, so that a port in use
 * costs nothing.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/macros.h"
#include "sys/inherit.h"

struct binding {
	int fds[INHERIT_LISTEN_MAX];
	unsigned count;
	uint16_t port; /* the same for all addresses */
};

/* What to bind, and who may be in the way. */
struct binding_request {
	const char *host; /* may have several addresses, such as localhost: all are bound */
	uint16_t port;
	int backlog;
	const char *lock_path; /* sys/lockfile.h: says whether it is a gateway of ours */
	unsigned wait_ms; /* for the orphans of a dead one, which hold the port while they end */
};

/*
 * Binds all addresses of the host that this machine has. When the port is in use by the orphans
 * of a dead gateway it waits.
 * Returns 0; -EADDRINUSE with RET_HOLDER the living gateway of ours that has the lock, or 0; or
 * another -errno of sys/listener.h.
 */
int binding_open(
    const struct binding_request *request, struct binding *ret, pid_t *ret_holder) must_check;

/* Closes the listeners. Harmless for a zeroed struct. */
void binding_close(struct binding *binding);

/* Appends `127.0.0.1:18789` or `[::1]:18789`. */
void binding_write_address(struct buf *out, const char *host, uint16_t port);
