/*
 * What the service manager hands over at a start, and what it is given to keep: the sockets of .socket
 * units, and the things that are to outlive this process (systemd.service(5), FileDescriptorStoreMax=).
 *
 *	name			what it is
 *	control			the listener of run/gateway.sock
 *	stored-segment		the shared segment of the gateway before us
 *	stored-listener		a TCP listener that the gateway before us bound by its configuration
 *	any other		a listener for clients, TCP or Unix
 */
#pragma once

#include "base/buf.h"
#include "base/macros.h"
#include "sys/inherit.h"

struct handover {
	int given[INHERIT_LISTEN_MAX]; /* for clients */
	unsigned given_count;
	int stored[INHERIT_LISTEN_MAX]; /* stored-listener */
	unsigned stored_count;
	int control_fd, segment_fd; /* -1: none */
};

/* Nothing was handed over. */
void handover_init(struct handover *handover);

/*
 * Takes all that came for this process; nothing is no error. To be called before this process opens
 * descriptors of its own, which would be taken for those that were announced. Returns 0, or -errno with a line for people
 * appended to REASON that names the descriptor which is at fault; then all are closed.
 */
int handover_take(struct handover *ret, struct buf *reason) must_check;

/* Closes what nobody took out of it. The service manager keeps what it keeps. */
void handover_close(struct handover *handover);

/*
 * The stored listeners are of no use: closes them, has the service manager do so too, and waits a second for
 * it at most, since their ports may be wanted. Harmless where there are none.
 */
void handover_drop_listeners(struct handover *handover);

/*
 * Gives the listeners to the service manager to keep. Failures are logged: what is not kept ends with this
 * process, as it does without a service manager.
 */
void handover_store_listeners(const int *fds, unsigned count);

/* The same with the segment, in place of one that it keeps already. */
void handover_store_segment(int fd);
