/*
 * The control socket between the supervisor and one child: versioned, bounded messages with
 * descriptors.
 *
 * It is a SOCK_SEQPACKET pair, so a message arrives whole or not at all. Both ends are
 * non-blocking and close-on-exec. The peer is another process of ours, which may be broken:
 * whatever does not have the form below is -EBADMSG, and descriptors that came with it are
 * closed.
 *
 *	 0               2               4                               8
 *	+---------------+---------------+-------------------------------+----------------------+
 *	| version (1)   | type          | length of the body            | body, 0..4096 bytes  |
 *	+---------------+---------------+-------------------------------+----------------------+
 *	  host byte order: both ends are the same program         descriptors ride as SCM_RIGHTS
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

enum {
	CONTROL_VERSION = 1,
	CONTROL_BODY_MAX = 4096,
	CONTROL_FDS_MAX = 8,
};

enum control_type {
	CONTROL_READY = 1, /* child to supervisor, no body: I accept connections */
	CONTROL_DRAIN = 2, /* supervisor to child, struct control_drain: finish and exit 0 */
};

/* Why a child is to drain. */
enum control_reason {
	CONTROL_REASON_STOPPING = 1, /* the gateway stops: clients are closed with 1001 */
};

/* The body of CONTROL_DRAIN. */
struct control_drain {
	uint32_t timeout_ms; /* what is in flight may take this long */
	uint8_t reason;	     /* enum control_reason */
	uint8_t padding[3];  /* zero */
};

struct control_message {
	uint16_t version, type;
	uint32_t length; /* bytes used in body */
	char body[CONTROL_BODY_MAX];
	int fds[CONTROL_FDS_MAX]; /* close-on-exec; the receiver owns them */
	unsigned fd_count;
};

/*
 * Makes a connected pair: ret_fds[0] stays with the supervisor, ret_fds[1] goes to the child.
 * Returns 0, or -errno of socketpair.
 */
int control_pair(int ret_fds[2]) must_check;

/*
 * Sends one message with LEN bytes of body (at most CONTROL_BODY_MAX) and NFDS descriptors (at
 * most CONTROL_FDS_MAX), which stay open and owned by the caller. BODY may be NULL when LEN is 0,
 * FDS when NFDS is 0.
 * Returns 0, -EMSGSIZE for a body or a list that is too long, -EAGAIN when the peer does not
 * read, -EPIPE or -ECONNRESET when the peer is gone, or another -errno of sendmsg. Never raises
 * SIGPIPE.
 */
int control_send(int fd, enum control_type type, const void *body, size_t len, const int *fds,
    size_t nfds) must_check;

/* Sends CONTROL_DRAIN. Returns what control_send returns. */
int control_send_drain(int fd, uint32_t timeout_ms, enum control_reason reason) must_check;

/*
 * Receives one message. Unknown types are handed to the caller, who ignores what it does not
 * know.
 * Returns 1 with a message (its descriptors belong to the caller: control_message_close), 0 at
 * end of file, -EAGAIN when there is none, -EBADMSG for a wrong version, a wrong length, or more
 * descriptors than are allowed (they are closed, and so is every other that came), or another
 * -errno of recvmsg. MSG is untouched unless 1 is returned.
 */
int control_receive(int fd, struct control_message *ret_msg) must_check;

/*
 * Closes the descriptors that are still in MSG, and forgets them. One that was taken out is set
 * to -1 by its taker.
 */
void control_message_close(struct control_message *msg);

/*
 * Reads the body of CONTROL_DRAIN. Returns 0, or -EBADMSG when MSG is of another type, length or
 * reason.
 */
int control_read_drain(const struct control_message *msg, struct control_drain *ret) must_check;
