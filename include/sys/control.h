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
#include "base/span.h"

enum {
	CONTROL_VERSION = 1,
	CONTROL_BODY_MAX = 4096,
	CONTROL_FDS_MAX = 8,
};

enum control_type {
	CONTROL_READY = 1,   /* child to supervisor, no body: I accept connections */
	CONTROL_DRAIN = 2,   /* supervisor to child, struct control_drain: finish and exit 0 */
	CONTROL_CONFIG = 3,  /* supervisor to child, struct control_config and a descriptor of
			       sys/sealed.h: this configuration is in force from now on */
	CONTROL_TAKEN = 4,   /* child to supervisor, struct control_taken: what became of it */
	CONTROL_RELOAD = 5,  /* child to supervisor, struct control_reload: read the files again */
	CONTROL_OUTCOME = 6, /* supervisor to child, struct control_outcome and text: how it went */
	CONTROL_LOG = 7, /* supervisor to child, no body, a descriptor: the log goes there now */
};

/* Why a child is to drain. */
enum control_reason {
	CONTROL_REASON_STOPPING = 1, /* the gateway stops: clients are closed with 1001 */
	CONTROL_REASON_RETIRING = 2, /* only this child is to go: 1012, a few at a time */
};

/* How a reload went. */
enum control_verdict {
	CONTROL_VERDICT_GOOD = 1,     /* text: keys that changed, newline, keys that wait */
	CONTROL_VERDICT_BAD = 2,      /* text: what is wrong; nothing has changed */
	CONTROL_VERDICT_STOPPING = 3, /* there will be none: the gateway stops; no text */
};

/* The body of CONTROL_DRAIN. */
struct control_drain {
	uint32_t timeout_ms; /* what is in flight may take this long */
	uint8_t reason;	     /* enum control_reason */
	uint8_t padding[3];  /* zero */
};

/* The body of CONTROL_CONFIG. */
struct control_config {
	uint64_t number; /* of the reload */
};

/* The body of CONTROL_TAKEN. */
struct control_taken {
	uint64_t number;  /* of the reload */
	int32_t status;	  /* 0: it is in force; or -errno: it is not */
	uint32_t padding; /* zero */
};

/* The body of CONTROL_RELOAD. A child has one question under way at a time. */
struct control_reload {
	uint64_t ticket; /* its own number for the question, not 0 */
};

/* The beginning of the body of CONTROL_OUTCOME. */
struct control_outcome {
	uint64_t ticket;    /* of the question that is answered */
	uint8_t verdict;    /* enum control_verdict */
	uint8_t padding[7]; /* zero */
};

enum { CONTROL_TEXT_MAX = CONTROL_BODY_MAX - sizeof(struct control_outcome) };

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

/* Sends CONTROL_LOG with the descriptor. Returns what control_send returns. */
int control_send_log(int fd, int log_fd) must_check;

/*
 * Takes the descriptor of CONTROL_LOG out of MSG: it is the caller's. Returns 0, or -EBADMSG when MSG is of
 * another type or form.
 */
int control_take_log(struct control_message *msg, int *ret_fd) must_check;

/*
 * Sends CONTROL_CONFIG with the descriptor, CONTROL_TAKEN, CONTROL_RELOAD, CONTROL_OUTCOME; a text that
 * is longer than CONTROL_TEXT_MAX is -EMSGSIZE. Else they return what control_send returns.
 */
int control_send_config(int fd, uint64_t number, int config_fd) must_check;
int control_send_taken(int fd, uint64_t number, int status) must_check;
int control_send_reload(int fd, uint64_t ticket) must_check;
int control_send_outcome(
    int fd, uint64_t ticket, enum control_verdict verdict, struct span text) must_check;

/*
 * Read the bodies of these. Return 0, or -EBADMSG when MSG is of another type or length, has another
 * number of descriptors than belong to it, or values that there are not. The descriptor stays in MSG;
 * the text is a part of it.
 */
int control_read_config(const struct control_message *msg, struct control_config *ret) must_check;
int control_read_taken(const struct control_message *msg, struct control_taken *ret) must_check;
int control_read_reload(const struct control_message *msg, struct control_reload *ret) must_check;
int control_read_outcome(const struct control_message *msg, struct control_outcome *ret,
    struct span *ret_text) must_check;
