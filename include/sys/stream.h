/*
 * The bytes of a connected, non-blocking socket: as they are, or by TLS. Whoever reads and writes need not know
 * which; who sends to the socket by other means asks stream_is_bare.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/macros.h"
#include "sys/tls.h"

enum { STREAM_READ_MIN = TLS_READ_MIN, STREAM_SEALED_MAX = TLS_RECORD_TEXT };

struct stream {
	int fd;		 /* -1: closed */
	struct tls *tls; /* NULL: as they are */
};

/* The socket's bytes as they are. */
void stream_init(struct stream *, int fd);

/*
 * Reads into a buffer of at least STREAM_READ_MIN bytes. Returns how many came; 0: the peer has ended; -EAGAIN:
 * none at present; -EPROTONOSUPPORT: the peer does not speak TLS, see stream_strip; -EPROTO: stream_why tells;
 * another -errno.
 */
ssize_t stream_read(struct stream *, char *ret, size_t cap) must_check;

/*
 * Takes bytes in `count` parts to be sent: all, fewer or none. Returns how many, or -errno.
 * Where it took fewer, or stream_owes, it is to be tried when the socket has room again; before that
 * stream_is_open must have become true, by reading. With nothing to be taken it sends what is owed.
 */
ssize_t stream_write(struct stream *, const struct iovec *parts, size_t count) must_check;

/* As tls_seal and tls_send_sealed, of one that is not bare: at most STREAM_SEALED_MAX bytes. */
int stream_seal(struct stream *, struct span bytes, struct buf *out) must_check;
int stream_send_sealed(struct stream *, struct span sealed) must_check;

/* Whether what was taken has not all gone to the kernel. */
bool stream_owes(const struct stream *);

/* Whether bytes are taken: not while a handshake lasts. */
bool stream_is_open(const struct stream *);

/*
 * Whether the peer has ended, without the socket having done so: nothing more is to be read, and no event may
 * come to tell. False where stream_read is still to say so.
 */
bool stream_has_ended(const struct stream *);

/* Whether nobody on the way can read or change the bytes. */
bool stream_is_secure(const struct stream *);

/* Whether bytes that are written to the descriptor reach the peer as they are. */
bool stream_is_bare(const struct stream *);

/* The peer does not speak TLS: from here on bytes are as they are. */
void stream_strip(struct stream *);

/*
 * Tells the peer that nothing more comes, and shuts down this side. False: not yet, since bytes are owed; to be
 * called again when they are not.
 */
bool stream_end(struct stream *);

/* Closes the descriptor, with a last word to the peer where that takes no waiting. Again is harmless. */
void stream_close(struct stream *);

/* What an error of stream_read or stream_write was, for people. */
const char *stream_why(const struct stream *, int error);
