/*
 * Gathers.  Whom a gather waits for is kept as the generation of each slot that was asked: a slot whose
 * generation moved, or that no longer serves, has died and owes nothing any more.  `owed` counts those that
 * are left, so that a gather that is complete is known by its count; for the dead the slots are walked some
 * times a second only.
 *
 * A gather that is cancelled stays, without an owner, until its answers have come or its time is up.  The
 * other workers have the work all the same, so it counts against GATHERS_MAX: or a client that asks and
 * cancels in turn could still keep them all busy.
 *
 * Room for the answers is reserved nowhere: a worker that finds this mailbox full cannot answer, and the
 * gather ends by its time.
 */
#include "gateway/peers.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "bus/bell.h"
#include "bus/mailbox.h"
#include "bus/roster.h"
#include "bus/segment.h"
#include "gateway/census.h"
#include "gateway/context.h"
#include "gateway/switchboard.h"

enum {
	GATHER_MS = 1000,
	LOOK_MS = 100, /* between two looks for workers that died */
	MAIL_EACH_TURN = 64,
	/* Who sent so much may wait for the room: it looks when it is woken. */
	LARGE_BYTES = 65536,
	WARNINGS_A_MINUTE = 10,
};

struct gather {
	struct list link;
	struct peers *peers;
	uint64_t token;
	uint64_t deadline_ms;
	uint64_t look_at_ms;
	gather_part_fn on_part;
	gather_done_fn on_done; /* NULL: cancelled */
	void *owner;
	unsigned slots;
	unsigned owed;	  /* how many of asked[] are not 0 */
	uint32_t asked[]; /* generation of each slot that has not answered; 0: nothing is owed */
};

struct peers {
	struct list gathers;
	unsigned count;
	uint32_t questions;
	gather_answer_fn answer;
	peers_mail_fn take[MAIL_KINDS];
	struct buf body;
	struct buf part;
	struct log_limit warnings;
};

struct peers *
peers_new(gather_answer_fn answer)
{
	struct peers *peers = mem_zalloc(sizeof(*peers));

	if (peers == NULL)
		return NULL;
	list_init(&peers->gathers);
	peers->answer = answer;
	return peers;
}

static void
gather_free(struct gather *gather)
{
	gather->peers->count--;
	list_remove(&gather->link);
	mem_free(gather);
}

void
gather_cancel(struct gather *gather)
{
	gather->on_done = NULL;
	if (gather->owed == 0)
		gather_free(gather);
}

void
peers_free(struct peers *peers)
{
	struct list *first;

	if (peers == NULL)
		return;
	while ((first = list_first(&peers->gathers)) != NULL)
		gather_free(container_of(first, struct gather, link));
	buf_fini(&peers->body);
	buf_fini(&peers->part);
	mem_free(peers);
}

/* Clients cause the mail, so they could fill the log with what goes wrong about it. */
static bool
may_warn(struct peers *peers)
{
	unsigned held_back = 0;

	if (!log_limit_pass(&peers->warnings, clock_mono_ms(), WARNINGS_A_MINUTE, &held_back))
		return false;
	if (held_back > 0)
		log_warning(
		    "%u more warnings about mail between workers were not logged", held_back);
	return true;
}

static void
warn_undelivered(struct peers *peers, unsigned slot, const char *what, int error)
{
	if (may_warn(peers))
		log_warning("worker %u could not be %s: %s", slot, what,
		    error == -ENOBUFS ? "its mailbox is full" : strerror(-error));
}

void
peers_listen(struct peers *peers, enum mail_kind kind, peers_mail_fn take)
{
	peers->take[kind] = take;
}

int
peers_post(struct gateway *g, unsigned slot, enum mail_kind kind, uint64_t token, struct span body)
{
	struct mail mail = {
		.kind = (uint16_t)kind,
		.from_slot = (uint16_t)g->slot,
		.from_generation = g->generation,
		.token = token,
		.body = body,
	};
	struct mailbox *mailbox = segment_mailbox(g->segment, slot);
	int r = mailbox == NULL ? -ENOTCONN : mailbox_send(mailbox, &mail);

	if (r == 0)
		bell_ring(g->segment, slot);
	return r;
}

static void
ask(struct gateway *g, struct gather *gather, unsigned slot, struct span question)
{
	struct roster_entry entry;
	int r;

	roster_get(g->roster, slot, &entry);
	if (slot == g->slot || entry.state != ROSTER_SERVING)
		return;
	r = peers_post(g, slot, MAIL_CONNECTIONS_ASK, gather->token, question);
	if (r == -ENOTCONN)
		return; /* nobody ever stood there, whatever the roster says */
	/* One that could not be asked stays owed: better late than silently partial. */
	gather->asked[slot] = entry.generation;
	gather->owed += entry.generation != 0;
	if (r != 0)
		warn_undelivered(g->peers, slot, "asked", r);
}

int
gather_start(struct gateway *g, struct span question, gather_part_fn on_part,
    gather_done_fn on_done, void *owner, struct gather **ret)
{
	unsigned slots = census_worker_slots(g);
	uint64_t now_ms = clock_mono_ms();
	struct gather *gather;

	if (g->peers->count >= GATHERS_MAX)
		return -EBUSY;
	gather = mem_zalloc(sizeof(*gather) + slots * sizeof(gather->asked[0]));
	if (gather == NULL)
		return -ENOMEM;
	gather->peers = g->peers;
	/* With the generation above: what is told to a dead predecessor is never taken for ours. */
	gather->token = (uint64_t)g->generation << 32 | ++g->peers->questions;
	gather->deadline_ms = now_ms + GATHER_MS;
	gather->look_at_ms = now_ms + LOOK_MS;
	gather->on_part = on_part;
	gather->on_done = on_done;
	gather->owner = owner;
	gather->slots = slots;
	list_append(&g->peers->gathers, &gather->link);
	g->peers->count++;
	for (unsigned slot = 0; slot < slots; slot++)
		ask(g, gather, slot, question);
	*ret = gather;
	return 0;
}

static void
strike_out(struct gather *gather, unsigned slot)
{
	gather->asked[slot] = 0;
	gather->owed--;
}

static void
on_tell(struct gateway *g, const struct mail *mail)
{
	struct list *at, *tmp;

	LIST_FOREACH_SAFE (at, tmp, &g->peers->gathers) {
		struct gather *gather = container_of(at, struct gather, link);

		if (gather->token != mail->token)
			continue;
		if (mail->from_slot >= gather->slots || mail->from_generation == 0 ||
		    gather->asked[mail->from_slot] != mail->from_generation)
			return;
		if (gather->on_done == NULL || gather->on_part(gather->owner, mail->body))
			strike_out(gather, mail->from_slot);
		return;
	}
}

static void
on_ask(struct gateway *g, const struct mail *mail)
{
	struct peers *peers = g->peers;
	struct mailbox *theirs = segment_mailbox(g->segment, mail->from_slot);
	int r;

	if (theirs == NULL || mail->from_slot >= census_worker_slots(g))
		return;
	/* Who asked has died since: its successor did not ask. */
	if (mail->from_generation == 0 ||
	    mail->from_generation != roster_generation(g->roster, mail->from_slot))
		return;
	buf_reset(&peers->part);
	peers->answer(g, mail->body, mailbox_body_max(theirs), &peers->part);
	r = buf_status(&peers->part);
	if (r == 0)
		r = peers_post(
		    g, mail->from_slot, MAIL_CONNECTIONS_TELL, mail->token, buf_span(&peers->part));
	if (r != 0)
		warn_undelivered(peers, mail->from_slot, "answered", r);
}

static void
on_mail(struct gateway *g, const struct mail *mail)
{
	if (mail->kind == MAIL_CONNECTIONS_TELL)
		on_tell(g, mail);
	else if (mail->kind == MAIL_CONNECTIONS_ASK)
		on_ask(g, mail);
	else if (mail->kind < MAIL_KINDS && g->peers->take[mail->kind] != NULL)
		g->peers->take[mail->kind](g, mail);
	else
		switchboard_mail(g, mail);
	if (mail->body.n >= LARGE_BYTES)
		bell_ring(g->segment, mail->from_slot);
}

bool
peers_receive(struct gateway *g)
{
	struct mailbox *own = segment_mailbox(g->segment, g->slot);

	for (unsigned i = 0; i < MAIL_EACH_TURN; i++) {
		struct mail mail;

		switch (mailbox_receive(own, &g->peers->body, &mail)) {
		case MAILBOX_MAIL:
			on_mail(g, &mail);
			break;
		case MAILBOX_DAMAGED:
			if (may_warn(g->peers))
				log_error("the mailbox was damaged; what waited in it is lost");
			break;
		case MAILBOX_EMPTY:
			return true;
		case MAILBOX_NOMEM:
			return false;
		}
	}
	return true;
}

static void
strike_out_the_dead(struct gateway *g, struct gather *gather)
{
	for (unsigned slot = 0; slot < gather->slots; slot++) {
		struct roster_entry entry;

		if (gather->asked[slot] == 0)
			continue;
		roster_get(g->roster, slot, &entry);
		if (entry.generation != gather->asked[slot] || entry.state == ROSTER_DEAD ||
		    entry.state == ROSTER_EMPTY)
			strike_out(gather, slot);
	}
}

/* Whether it is over, one way or the other. */
static bool
has_ended(struct gateway *g, struct gather *gather, uint64_t now_ms)
{
	bool late = gather->deadline_ms <= now_ms;

	if (gather->owed > 0 && (late || gather->look_at_ms <= now_ms)) {
		gather->look_at_ms = now_ms + LOOK_MS;
		strike_out_the_dead(g, gather);
	}
	return late || gather->owed == 0;
}

static void
finish(struct gather *gather)
{
	gather_done_fn on_done = gather->on_done;
	void *owner = gather->owner;
	enum gather_verdict verdict = gather->owed == 0 ? GATHER_COMPLETE : GATHER_TIMEOUT;

	gather_free(gather);
	if (on_done != NULL)
		on_done(owner, verdict);
}

void
peers_settle(struct gateway *g, uint64_t now_ms)
{
	struct list ended, *at, *tmp, *first;

	list_init(&ended);
	LIST_FOREACH_SAFE (at, tmp, &g->peers->gathers) {
		if (!has_ended(g, container_of(at, struct gather, link), now_ms))
			continue;
		list_remove(at);
		list_append(&ended, at);
	}
	/* A callback may cancel others of them: these leave the list by themselves. */
	while ((first = list_first(&ended)) != NULL)
		finish(container_of(first, struct gather, link));
}

bool
peers_has_settled(const struct gateway *g)
{
	const struct list *at;

	LIST_FOREACH (at, &g->peers->gathers) {
		if (container_of(at, struct gather, link)->owed == 0)
			return true;
	}
	return false;
}
