/*
 * The other workers: asking all of them one question by mail, and answering theirs.
 *
 * A question is gathered: it is over when every worker that was asked has told its part, has died (then
 * its part died with it), or the time is up.  Every question costs all workers something, so a worker has no
 * more than GATHERS_MAX of them under way.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/span.h"

struct gateway;
struct mail;
struct peers;

enum {
	/* In progress, those included that were cancelled and are still owed answers. */
	GATHERS_MAX = 16,
};

/* Kinds of mail between workers. */
enum mail_kind {
	MAIL_CONNECTIONS_ASK = 1,  /* struct roll_question */
	MAIL_CONNECTIONS_TELL = 2, /* what roll_part_write wrote */
	MAIL_EVENT = 3,		   /* see gateway/direct */
	MAIL_KINDS
};

enum gather_verdict {
	GATHER_COMPLETE,
	GATHER_TIMEOUT, /* somebody who lives did not answer in time */
};

/* One worker's part has come.  False: it is not what was asked for, and counts as no answer. */
typedef bool (*gather_part_fn)(void *owner, struct span part);
/* The question is over; called once, from the event loop, never from inside gather_start. */
typedef void (*gather_done_fn)(void *owner, enum gather_verdict verdict);
/* Writes this worker's answer to a question of the given body: at most room bytes, the mail's bound. */
typedef void (*gather_answer_fn)(
    struct gateway *gateway, struct span question, size_t room, struct buf *ret);

/* Takes mail of some other kind; the body is gone when it returns. */
typedef void (*peers_mail_fn)(struct gateway *gateway, const struct mail *mail);

struct gather;

/* Creates it; answer is how this worker answers MAIL_CONNECTIONS_ASK.  NULL without memory. */
struct peers *peers_new(gather_answer_fn answer);
void peers_free(struct peers *peers);

/*
 * Asks all other workers that serve.  Returns 0 and the gather, which ends itself before on_done is called;
 * -EBUSY when GATHERS_MAX are in progress; -ENOMEM.  A worker whose mailbox is full counts as one that does
 * not answer.
 */
int gather_start(struct gateway *gateway, struct span question, gather_part_fn on_part,
    gather_done_fn on_done, void *owner, struct gather **ret) must_check;

/*
 * Lets go of a gather early: neither on_part nor on_done is called any more, and the pointer is dead.  May be
 * called from inside another gather's on_done.
 */
void gather_cancel(struct gather *gather);

/* Has mail of this kind, which is none of gathers', handed to `take`. Mail of kinds that nobody takes is dropped. */
void peers_listen(struct peers *peers, enum mail_kind kind, peers_mail_fn take);

/*
 * Sends mail to another worker and wakes it. Returns 0; -ENOBUFS: its mailbox is full; -EMSGSIZE; -ENOTCONN: no
 * process ever ran there; another -errno of mailbox_send.
 */
int peers_post(struct gateway *gateway, unsigned slot, enum mail_kind kind, uint64_t token,
    struct span body) must_check;

/*
 * Takes the mail that has come.  Once each turn of the loop.  False: there is some that could not be taken, for want
 * of memory.
 */
bool peers_receive(struct gateway *gateway);

/*
 * Ends the gathers that are complete, or late (now_ms: CLOCK_MONOTONIC).  Once each turn and tick.  Those that
 * an on_done starts are left to the next call.
 */
void peers_settle(struct gateway *gateway, uint64_t now_ms);

/* Whether some gather is complete and waits only for peers_settle: then the loop must not sleep. */
bool peers_has_settled(const struct gateway *gateway);
