/*
 * Gathers.  Whom a gather waits for is kept as the generation of each slot that was asked: a slot whose
 * generation moved, or that no longer serves, has died and owes nothing any more.
 *
 * Room for the answers is reserved nowhere: a worker that finds this mailbox full cannot answer, and the
 * gather ends by its time.
 */
#include "gateway/peers.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "bus/bell.h"
#include "bus/mailbox.h"
#include "bus/roster.h"
#include "bus/segment.h"
#include "gateway/census.h"
#include "gateway/context.h"

enum {
	GATHER_MS = 1000,
	MAIL_EACH_TURN = 64,
};

struct gather {
	struct list link;
	struct peers *peers;
	uint64_t token;
	uint64_t deadline_ms;
	gather_part_fn on_part;
	gather_done_fn on_done;
	void *owner;
	unsigned slots;
	uint32_t asked[]; /* generation of each slot that has not answered; 0: nothing is owed */
};

struct peers {
	struct list gathers;
	uint64_t last_token;
	gather_answer_fn answer;
	struct buf body;
	struct buf part;
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

void
gather_cancel(struct gather *gather)
{
	list_remove(&gather->link);
	mem_free(gather);
}

void
peers_free(struct peers *peers)
{
	struct list *first;

	if (peers == NULL)
		return;
	while ((first = list_first(&peers->gathers)) != NULL)
		gather_cancel(container_of(first, struct gather, link));
	buf_fini(&peers->body);
	buf_fini(&peers->part);
	mem_free(peers);
}

static int
send_mail(struct gateway *g, unsigned slot, enum mail_kind kind, uint64_t token, struct span body)
{
	struct mail mail = {
		.kind = (uint16_t)kind,
		.from_slot = (uint16_t)g->slot,
		.from_generation = g->generation,
		.token = token,
		.body = body,
	};
	struct mailbox *mailbox = segment_mailbox(g->segment, slot);
	int r = mailbox == NULL ? -1 : mailbox_send(mailbox, &mail);

	if (r == 0)
		bell_ring(g->segment, slot);
	return r;
}

struct gather *
gather_start(struct gateway *g, struct span question, gather_part_fn on_part,
    gather_done_fn on_done, void *owner)
{
	unsigned slots = census_worker_slots(g);
	struct gather *gather = mem_zalloc(sizeof(*gather) + slots * sizeof(gather->asked[0]));

	if (gather == NULL)
		return NULL;
	gather->peers = g->peers;
	gather->token = ++g->peers->last_token;
	gather->deadline_ms = clock_mono_ms() + GATHER_MS;
	gather->on_part = on_part;
	gather->on_done = on_done;
	gather->owner = owner;
	gather->slots = slots;
	list_append(&g->peers->gathers, &gather->link);
	for (unsigned slot = 0; slot < slots; slot++) {
		struct roster_entry entry;

		roster_get(g->roster, slot, &entry);
		if (slot == g->slot || entry.state != ROSTER_SERVING)
			continue;
		/* One that could not be asked stays owed: better late than silently partial. */
		gather->asked[slot] = entry.generation;
		if (send_mail(g, slot, MAIL_CONNECTIONS_ASK, gather->token, question) != 0)
			log_warning("worker %u could not be asked: its mailbox is full", slot);
	}
	return gather;
}

static void
on_tell(struct gateway *g, const struct mail *mail)
{
	struct list *at;

	LIST_FOREACH (at, &g->peers->gathers) {
		struct gather *gather = container_of(at, struct gather, link);

		if (gather->token != mail->token)
			continue;
		if (mail->from_slot >= gather->slots || mail->from_generation == 0 ||
		    gather->asked[mail->from_slot] != mail->from_generation)
			return;
		if (gather->on_part(gather->owner, mail->body))
			gather->asked[mail->from_slot] = 0;
		return;
	}
}

static void
on_mail(struct gateway *g, const struct mail *mail)
{
	struct peers *peers = g->peers;

	if (mail->kind == MAIL_CONNECTIONS_TELL) {
		on_tell(g, mail);
		return;
	}
	if (mail->kind != MAIL_CONNECTIONS_ASK || mail->from_slot >= census_worker_slots(g))
		return;
	buf_reset(&peers->part);
	peers->answer(g, mail->body, &peers->part);
	if (buf_status(&peers->part) != 0 || send_mail(g, mail->from_slot, MAIL_CONNECTIONS_TELL,
						 mail->token, buf_span(&peers->part)) != 0)
		log_warning("worker %u could not be answered", mail->from_slot);
}

void
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
			log_error("the mailbox was damaged; what waited in it is lost");
			break;
		case MAILBOX_EMPTY:
		case MAILBOX_NOMEM:
			return;
		}
	}
}

/* Strikes out the dead; true when nobody owes anything. */
static bool
is_complete(struct gateway *g, struct gather *gather)
{
	bool complete = true;

	for (unsigned slot = 0; slot < gather->slots; slot++) {
		struct roster_entry entry;

		if (gather->asked[slot] == 0)
			continue;
		roster_get(g->roster, slot, &entry);
		if (entry.generation != gather->asked[slot] || entry.state == ROSTER_DEAD ||
		    entry.state == ROSTER_EMPTY)
			gather->asked[slot] = 0;
		else
			complete = false;
	}
	return complete;
}

void
peers_settle(struct gateway *g, uint64_t now_ms)
{
	struct list *at, *tmp;

	LIST_FOREACH_SAFE (at, tmp, &g->peers->gathers) {
		struct gather *gather = container_of(at, struct gather, link);
		bool complete = is_complete(g, gather);
		gather_done_fn on_done = gather->on_done;
		void *owner = gather->owner;

		if (!complete && gather->deadline_ms > now_ms)
			continue;
		gather_cancel(gather);
		on_done(owner, complete ? GATHER_COMPLETE : GATHER_TIMEOUT);
		/* The callback may have ended other gathers: begin again with what is left. */
		tmp = g->peers->gathers.next;
	}
}
