/*
 * TLS over a non-blocking socket, by OpenSSL.
 *
 * A connection is read in large pieces: what one system call brings is decrypted to its end, so nothing that
 * could be had waits unseen, and a socket that is not readable has nothing for anybody. What is written is
 * taken record by record; of the last record the kernel may take a part only, and the connection then owes
 * the rest, at most one record, and takes nothing more. So there is nothing to be tried again with the same
 * bytes, reading never waits for room, and writing never for input, but for the handshake:
 *
 *	NEW ──first byte──▶ handshake, driven by tls_read alone ──▶ open ──tls_end──▶ ended
 *
 * A server's connection costs next to nothing before the first byte came. No function here waits, logs, or
 * opens a file.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/span.h"

struct tls;
struct tls_context;

enum {
	TLS_WIRE_BYTES = 44 * 1024, /* are read from a socket at once */
	TLS_READ_MIN =
	    64 * 1024, /* so much room every read needs: what came may end a record begun before */
	TLS_RECORD_TEXT = 16384, /* in a record, at most */
};

/* The server's side of a connected socket, which stays the caller's. NULL without memory. */
struct tls *tls_accept(struct tls_context *, int fd) must_check;

/*
 * The client's side, whose first words are sent at once. The peer has to prove that it is `host`, a name or an
 * address without brackets. NULL without memory.
 */
struct tls *tls_connect(struct tls_context *, int fd, const char *host) must_check;

/* Frees it; nothing is sent. NULL is allowed. */
void tls_free(struct tls *);

/*
 * Reads into a buffer of at least TLS_READ_MIN bytes. Returns how many came; 0: the peer has ended; -EAGAIN:
 * none at present, though the handshake may have gone on; -EPROTONOSUPPORT: the peer's first byte is none of
 * TLS, and was left in the socket; -EPROTO: tls_why tells; another -errno.
 */
ssize_t tls_read(struct tls *, char *ret, size_t cap) must_check;

/*
 * Takes bytes to be sent: all; fewer, also none, when it owes or is not open; or returns -EPROTO or another
 * -errno. With none to be taken it only sends what is owed.
 */
ssize_t tls_write(struct tls *, struct span bytes) must_check;

/*
 * tls_write in two steps, so that many connections can take the first one after the other, and then the second: that
 * leaves each its code in the processor's caches. Only for one that is open and owes nothing, and for at most
 * TLS_RECORD_TEXT bytes.
 *
 * tls_seal appends to `out` what is to go over the wire; then nothing else may be read or written before that was
 * handed to tls_send_sealed, which takes it whole. 0, -EPROTO or another -errno; the connection is then of no
 * more use, and `out` may hold a part.
 */
int tls_seal(struct tls *, struct span bytes, struct buf *out) must_check;
int tls_send_sealed(struct tls *, struct span sealed) must_check;

/* Whether the kernel has not taken all that was to go out: when it does, write again. */
bool tls_owes(const struct tls *);

/* Whether the handshake is over, and bytes are taken. */
bool tls_is_open(const struct tls *);

/*
 * Whether the peer has said that nothing more comes from it. What came before, the same tls_read returned; that
 * the socket says anything more is not to be waited for.
 */
bool tls_has_ended(const struct tls *);

/* Whether it went on where an earlier connection, perhaps of another process, had ended. */
bool tls_is_resumed(const struct tls *);

/* Tells the peer that nothing more comes. May be called again, until nothing is owed. */
void tls_end(struct tls *);

/* What went wrong, for people: a static text. NULL: nothing that TLS would know of. */
const char *tls_why(const struct tls *);
