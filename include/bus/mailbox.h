/*
 * Mailboxes: requests, answers and control messages for one process. Many writers, one reader.
 *
 * Lossless because bounded: what finds no room is refused at once, and nothing is ever
 * overwritten. A writer takes the mailbox's robust lock, copies, and commits by one store; killed
 * before that, it
 * sent nothing. The reader takes no lock. The memory is drawn in bus/layout.h.
 *
 * A request can always be answered: who sends one reserves room for a short error in its own
 * mailbox first, and mail that uses the reserve finds that room when nothing else does.
 *
 * Waking the reader is not the mailbox's business: send, then bell_ring.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/span.h"

enum {
	MAILBOX_BYTES_MIN = 65536,
	MAILBOX_OVERHEAD = 40, /* room that a mail takes beyond its body, at most */
};

struct mailbox_shared;
struct mailbox; /* a process's view of one mailbox; owned by the segment */

struct mail {
	uint16_t kind; /* what it means is the gateway's */
	uint16_t from_slot;
	uint32_t from_generation; /* of the sender's process: roster_generation */
	uint64_t token;		  /* ties an answer to its request */
	struct span body;
	bool uses_reserve; /* sending only: may use the reader's reserve */
};

enum mailbox_verdict {
	MAILBOX_MAIL,
	MAILBOX_EMPTY,
	MAILBOX_DAMAGED, /* contents contradict themselves: all that was waiting has been dropped */
	MAILBOX_NOMEM,	 /* no memory for the copy; the mail stays where it is */
};

/* --- life: for bus/segment alone ---------------------------------------------------------- */

/* A view of a mailbox of `bytes` data bytes (a multiple of 8); NULL when out of memory. */
struct mailbox *mailbox_new(struct mailbox_shared *shared, char *data, uint64_t bytes);
void mailbox_free(struct mailbox *mailbox);
/*
 * Makes a new mailbox, closed: sending is refused until mailbox_set_open. Returns 0 or -errno.
 */
int mailbox_format(struct mailbox *mailbox) must_check;
/* The same for one left by processes that are all dead; its count of recoveries goes on. */
int mailbox_adopt(struct mailbox *mailbox) must_check;
/* Its memory is reserved: sending is allowed. */
void mailbox_set_open(struct mailbox *mailbox);
/* Frees the lock if a dead process held it. */
void mailbox_mend(struct mailbox *mailbox);
/* Drops all mail and reserves, after its reader died. */
void mailbox_clear(struct mailbox *mailbox);

/* --- acts --------------------------------------------------------------------------------- */

/*
 * Sends a copy of `mail`; then call bell_ring for the reader's slot.
 * Returns 0; else nothing was sent:
 *   -ENOBUFS         no room now
 *   -EMSGSIZE        the body is longer than mailbox_body_max()
 *   -ENOTCONN        no process ever ran in this slot
 *   -ETIMEDOUT       the lock was held by others for 20 ms: try again later
 *   -ENOTRECOVERABLE the mailbox contradicts itself
 */
int mailbox_send(struct mailbox *mailbox, const struct mail *mail) must_check;

/*
 * The reader's: takes the oldest mail. With MAILBOX_MAIL `into` holds the body and nothing else,
 * and `ret->body` points there, valid until `into` changes. Else `into` is empty and `ret`
 * untouched.
 */
enum mailbox_verdict mailbox_receive(
    struct mailbox *mailbox, struct buf *into, struct mail *ret) must_check;

/*
 * The reader's: sets room aside for one mail with a body of up to `bytes` bytes that uses the
 * reserve. Returns 0; -ENOBUFS no room; -ETIMEDOUT, -ENOTRECOVERABLE as in mailbox_send.
 */
int mailbox_reserve(struct mailbox *own, size_t bytes) must_check;
/*
 * The reader's: gives back what mailbox_reserve with the same `bytes` set aside, when the answer
 * has come or can not come any more. (One that comes later all the same takes the room of
 * others.)
 */
void mailbox_unreserve(struct mailbox *own, size_t bytes);

/* --- questions ---------------------------------------------------------------------------- */

/* Whether mail is waiting. */
bool mailbox_is_empty(const struct mailbox *mailbox);
/* Bytes that waiting mail occupies, that are set aside, and that there are. */
size_t mailbox_used(const struct mailbox *mailbox);
size_t mailbox_reserved(const struct mailbox *mailbox);
size_t mailbox_capacity(const struct mailbox *mailbox);
/* The longest body: a quarter of the mailbox. */
size_t mailbox_body_max(const struct mailbox *mailbox);
/* How often a writer died with the lock in its hand. */
uint64_t mailbox_recoveries(const struct mailbox *mailbox);
/* As ring_stuck_holder. */
pid_t mailbox_stuck_holder(struct mailbox *mailbox, uint64_t limit_ms);
