/*
 * The listeners for clients: bound before anything else is done, so that a port in use costs nothing;
 * or passed by the service manager.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/macros.h"
#include "sys/inherit.h"

/* Where the listeners come from. */
enum binding_origin {
	BINDING_OPENED, /* bound here */
	BINDING_STORED, /* bound by a gateway before us, and kept by the service manager */
	BINDING_GIVEN, /* of .socket units: the configuration does not count, and they may be Unix sockets */
};

struct binding {
	enum binding_origin origin;
	int fds[INHERIT_LISTEN_MAX];
	unsigned count;
	uint16_t port; /* the same for all addresses; BINDING_GIVEN: the first that has one, or 0 */
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

/*
 * Takes listeners of somebody else's, with at least one. Returns 0, or -errno with RET_BAD the one that cannot
 * be used: then they stay the caller's.
 */
int binding_take_given(
    const int *fds, unsigned count, struct binding *ret, int *ret_bad) must_check;

/*
 * Takes listeners that were bound before, if they are those that the request asks for. False: they
 * are not, and stay the caller's.
 */
bool binding_take_stored(const struct binding_request *request, const int *fds, unsigned count,
    struct binding *ret) must_check;

/* Closes the listeners. Harmless for a zeroed struct. */
void binding_close(struct binding *binding);

/*
 * Appends where clients connect: `ws://127.0.0.1:18789` or `ws://[::1]:18789`, the host as the configuration
 * has it; of listeners that were passed the first that has a port, else `ws+unix:/run/x`.
 */
void binding_write_url(
    struct buf *out, const struct binding *binding, const char *host, bool with_tls);

/* Appends all addresses, for people. */
void binding_write_all(struct buf *out, const struct binding *binding, const char *host);

/* Appends `127.0.0.1:18789` or `[::1]:18789`. */
void binding_write_address(struct buf *out, const char *host, uint16_t port);
