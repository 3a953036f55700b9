/*
 * Descriptors that were passed by whoever started this process: sd_listen_fds(3), by libsystemd.
 *
 * They are sockets of a .socket unit, and what an earlier life of this service left with the service
 * manager. Meant are only those that came for this very process (LISTEN_PID).
 */
#pragma once

#include "base/macros.h"

enum {
	ACTIVATION_MAX = 64,	   /* descriptors */
	ACTIVATION_NAME_MAX = 256, /* with its NUL; longer names are cut */
};

enum activation_kind {
	ACTIVATION_TCP,	     /* listens, IPv4 or IPv6 */
	ACTIVATION_UNIX,     /* listens, by a path or an abstract name */
	ACTIVATION_FILE,     /* a regular file, such as shared memory */
	ACTIVATION_DEAF,     /* a stream socket that does not listen */
	ACTIVATION_DATAGRAM, /* or another socket that is none of streams */
	ACTIVATION_ELSE,
};

struct activation_fd {
	int fd; /* close-on-exec */
	enum activation_kind kind;
	char name[ACTIVATION_NAME_MAX]; /* "unknown" where it has none */
};

struct activation {
	struct activation_fd fds[ACTIVATION_MAX];
	unsigned count;
};

/*
 * Takes all that was passed, and takes it out of the environment; the caller owns the descriptors.
 * None is no error. Returns 0; -EBADF with RET_BAD the descriptor that was announced and is not open;
 * -E2BIG more than ACTIVATION_MAX; -EINVAL the variables are broken; or -errno. On an error nothing is taken.
 */
int activation_take(struct activation *ret, int *ret_bad) must_check;

/* What a descriptor is. */
enum activation_kind activation_kind_of(int fd);

/* The kind in words: "a TCP socket that listens" and so on. */
const char *activation_kind_name(enum activation_kind kind);
