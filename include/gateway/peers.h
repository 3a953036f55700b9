/*
 * The other workers: asking all of them one question by mail, and answering theirs.
 *
 * A question is gathered: it is over when every worker that was asked has told its part, has died (then
 * its part died with it), or the time is up.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/span.h"

struct gateway;
struct peers;

/* Kinds of mail between workers. */
enum mail_kind {
	MAIL_CONNECTIONS_ASK = 1,  /* struct connections_ask */
	MAIL_CONNECTIONS_TELL = 2, /* what connection_page_write wrote */
};

enum gather_verdict {
	GATHER_COMPLETE,
	GATHER_TIMEOUT, /* somebody who lives did not answer in time */
};

/* One worker's part has come.  False: it is not what was asked for, and counts as no answer. */
typedef bool (*gather_part_fn)(void *owner, struct span part);
/* The question is over; called once, from the event loop, never from inside gather_start. */
typedef void (*gather_done_fn)(void *owner, enum gather_verdict verdict);
/* Writes this worker's answer to a question of the given body. */
typedef void (*gather_answer_fn)(struct gateway *gateway, struct span question, struct buf *ret);

struct gather;

/* Creates it; answer is how this worker answers MAIL_CONNECTIONS_ASK.  NULL without memory. */
struct peers *peers_new(gather_answer_fn answer);
void peers_free(struct peers *peers);

/*
 * Asks all other workers that serve.  Returns the gather, which ends itself after on_done, or NULL without
 * memory.  A worker whose mailbox is full counts as one that does not answer.
 */
struct gather *gather_start(struct gateway *gateway, struct span question, gather_part_fn on_part,
    gather_done_fn on_done, void *owner) must_check;

/* Ends a gather early: on_done is not called. */
void gather_cancel(struct gather *gather);

/* Takes the mail that has come.  Once each turn of the loop. */
void peers_receive(struct gateway *gateway);

/* Ends the gathers that are complete, or late (now_ms: CLOCK_MONOTONIC).  Once each turn and tick. */
void peers_settle(struct gateway *gateway, uint64_t now_ms);
