/*
 * Which connections can be read from or written to: an epoll descriptor for all of them.
 *
 * libevent would do the same with 250 bytes more for each connection and two calls more for each event; it
 * watches the poller's descriptor, and everything else.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/macros.h"

struct poller;

enum {
	POLLER_READ = EPOLLIN,
	POLLER_WRITE = EPOLLOUT,
};

/*
 * A descriptor is ready for some of POLLER_READ and POLLER_WRITE, which were asked for when the kernel was
 * asked: what an earlier callback of the same turn changed is not known here. A descriptor in error or hung up
 * is ready for both, so that reading or writing finds out.
 */
typedef void (*poller_fn)(void *owner, uint32_t ready);

/* Creates one without descriptors; NULL without memory or without a descriptor, and errno says which. */
struct poller *poller_new(poller_fn on_ready) must_check;
void poller_free(struct poller *poller);

/* Readable while a descriptor is ready. */
int poller_fd(const struct poller *poller);

/*
 * Changes what fd is watched for from `before` (0: nothing) to `events`. `owner` is handed to on_ready, and must
 * stay readable until the end of a turn in which it was taken off. Returns 0 or -errno.
 */
int poller_watch(
    struct poller *poller, int fd, uint32_t before, uint32_t events, void *owner) must_check;

/* Calls on_ready for those that are ready now, some hundreds at most. Returns whether there was one. */
bool poller_turn(struct poller *poller);

/*
 * For one who is about to wait: if a descriptor was ready since the last call, gives the processor away once
 * (sched_yield(2)) and takes a turn. Clients that were answered and share the processor ask their next then,
 * and are served together, where each would have woken this process alone. Returns what poller_turn does.
 */
bool poller_yield(struct poller *poller);
