/*
 * Waking those that sleep: who dies in the midst of it must not leave one asleep for ever.
 */
#include <poll.h>

#include "bus/bell.h"
#include "bus/wake.h"
#include "walk.h"

static void
prepare(struct world *world)
{
	walk_need(bell_arm(world->segment, SLEEPER, ring_head(world->ring)), "bell_arm");
}

static void
act_publish(struct world *world)
{
	const struct ring_draft draft = { .name = SPAN("walk.event"), .frame = SPAN("frame") };
	struct ring_receipt receipt;

	walk_need(ring_publish(world->ring, VICTIM, &draft, &receipt) == 0, "ring_publish");
	bell_ring_all(world->segment);
}

static void
act_send(struct world *world)
{
	const struct mail mail = { .from_slot = VICTIM, .body = SPAN("body") };

	walk_need(
	    mailbox_send(segment_mailbox(world->segment, SLEEPER), &mail) == 0, "mailbox_send");
	bell_ring(world->segment, SLEEPER);
}

static bool
is_called(const struct world *world)
{
	struct pollfd fd = { .fd = segment_bell_fd(world->segment, SLEEPER), .events = POLLIN };

	return poll(&fd, 1, 0) == 1;
}

static bool
has_work(const struct world *world)
{
	return ring_head(world->ring) != 0 ||
	       !mailbox_is_empty(segment_mailbox(world->segment, SLEEPER));
}

static void
observe(struct world *world, struct buf *out)
{
	buf_printf(out, "work for the sleeper: %s; its bit %s; its eventfd %s",
	    has_work(world) ? "yes" : "no",
	    wake_is_armed(segment_wake(world->segment), SLEEPER) ? "set" : "taken",
	    is_called(world) ? "written" : "silent");
}

static void
check(struct world *world)
{
	walk_repair(world);
	walk_hold("W1", !has_work(world) || is_called(world));
	bell_drain(world->segment, SLEEPER);
	/* It looks, and does not sleep while there is work. */
	walk_hold("W2", !has_work(world) || !bell_arm(world->segment, SLEEPER, 0));
}

const struct scenario wake_scenarios[] = {
	{ "Waking after an event", prepare, act_publish, observe, check },
	{ "Waking after mail", prepare, act_send, observe, check },
	{ 0 },
};
