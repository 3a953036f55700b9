/*
 * The order matters.  What this turn published is delivered in the same turn, behind the answer to its
 * publisher in no case before it is in the ring; connections are freed last, when no pointer to them is held.
 */
#include "gateway/turn.h"

#include "base/clock.h"
#include "bus/bell.h"
#include "bus/directory.h"
#include "gateway/admission.h"
#include "gateway/catchup.h"
#include "gateway/census.h"
#include "gateway/connection.h"
#include "gateway/connections.h"
#include "gateway/context.h"
#include "gateway/deadlines.h"
#include "gateway/switchboard.h"
#include "gateway/fanout.h"
#include "gateway/peers.h"
#include "gateway/pending.h"
#include "gateway/post.h"
#include "gateway/publisher.h"
#include "gateway/sender.h"
#include "gateway/visit.h"

enum {
	/* Batches for each turn: between them the sockets are looked at. */
	TURN_BATCHES = 8,
	/* What the gateway's buffers keep of the largest answer so far. */
	KEPT_BYTES = 256 * 1024,
};

static bool
close_if_asked(struct connection *c, void *arg)
{
	char reason[DIRECTORY_REASON_MAX + 1];

	(void)arg;
	if (c->id != 0 && directory_take_close(c->gateway->directory, c->id, reason))
		connection_close(c, LEDGER_ADMIN, 1000,
		    reason[0] != '\0' ? reason : "Closed on request of an administrator");
	return true;
}

/* connections.close marks the entry and moves the counter of its owner; here the owner acts. */
static void
act_on_closes(struct gateway *g)
{
	uint64_t requests = directory_close_requests(g->directory, g->slot);

	if (requests == g->close_seen)
		return;
	g->close_seen = requests;
	connections_visit(g, close_if_asked, NULL);
}

/* True when there may be more. */
static bool
deliver(struct gateway *g)
{
	for (unsigned i = 0; i < TURN_BATCHES; i++)
		if (!fanout_pump(g))
			return false;
	return true;
}

bool
turn_end(struct gateway *g)
{
	bool more, stuck;

	bell_disarm(g->segment, g->slot);
	publisher_turn(g);
	/* Then there is no use in trying at once. */
	stuck = !peers_receive(g);
	switchboard_turn(g);
	peers_settle(g, clock_mono_ms());
	act_on_closes(g);
	more = deliver(g);
	catchup_turn(g);
	sender_push(g);
	connections_flush(g);
	connections_bury(g);
	buf_rest(&g->text, KEPT_BYTES);
	buf_rest(&g->reply, KEPT_BYTES);
	buf_rest(&g->inflated, KEPT_BYTES);
	buf_rest(&g->deflated, KEPT_BYTES);
	/* Connections that ended have published too, and so have those that a flush let go on. */
	publisher_wake(g);
	post_wake(g);
	if (more || !list_is_empty(&g->dirty) || peers_has_settled(g) || catchup_has_work(g))
		return true;
	/* Not armed, but the loop wakes for the tick: by then there may be memory. */
	if (stuck || fanout_is_starved(g->fanout))
		return false;
	return !bell_arm(g->segment, g->slot, g->level_seq);
}

void
turn_tick(struct gateway *g, uint64_t now_ms)
{
	census_refresh(g);
	deadlines_expire(g->deadlines, now_ms);
	visit_tick(g);
	admission_tick(g, clock_real_ms());
	pendings_expire(g, now_ms);
	fanout_tick(g, now_ms);
	catchup_tick(g, now_ms);
	peers_settle(g, now_ms);
	switchboard_tick(g, now_ms);
}
