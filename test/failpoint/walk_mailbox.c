/*
 * Sending, receiving, reserving, and clearing the mailbox of the dead.
 */
#include <errno.h>
#include <string.h>

#include "walk.h"

enum {
	BODY = 5000,
	WAITING = 2, /* mails that wait before the operation */
	NEW = 9,     /* the token of the mail that the victim sends */
	RESERVE = 100,
};

static const char body[BODY];

static int
send(struct world *world, unsigned from, uint64_t token, size_t len, bool uses_reserve)
{
	const struct mail mail = { .kind = 1,
		.from_slot = (uint16_t)from,
		.token = token,
		.body = span_make(body, len),
		.uses_reserve = uses_reserve };

	return mailbox_send(world->mail, &mail);
}

/* The token of the next mail, whose body must be whole; 0: none waits. */
static uint64_t
receive(struct world *world)
{
	struct buf into = { 0 };
	struct mail mail = { 0 };
	enum mailbox_verdict verdict = mailbox_receive(world->mail, &into, &mail);

	walk_need(verdict == MAILBOX_MAIL || verdict == MAILBOX_EMPTY, "mailbox_receive");
	if (verdict == MAILBOX_MAIL)
		walk_hold("M1", into.len <= BODY && memcmp(into.data, body, into.len) == 0);
	buf_fini(&into);
	return verdict == MAILBOX_MAIL ? mail.token : 0;
}

static void
remember(struct world *world)
{
	world->used = mailbox_used(world->mail);
	world->reserved = mailbox_reserved(world->mail);
}

static void
prepare_waiting(struct world *world)
{
	for (unsigned i = 1; i <= WAITING; i++)
		walk_need(send(world, SURVIVOR, i, BODY, false) == 0, "mailbox_send");
	remember(world);
}

/* The next mail lies around the end of the data. */
static void
prepare_wrap(struct world *world)
{
	for (unsigned i = 0; i < 11; i++) {
		walk_need(send(world, SURVIVOR, 7, BODY, false) == 0, "mailbox_send");
		walk_need(receive(world) == 7, "mailbox_receive");
	}
	prepare_waiting(world);
}

/* Only the reserve has room. */
static void
prepare_full(struct world *world)
{
	uint64_t token = WAITING;

	walk_need(mailbox_reserve(world->mail, RESERVE) == 0, "mailbox_reserve");
	prepare_waiting(world);
	while (send(world, SURVIVOR, ++token, BODY, false) == 0)
		;
	while (send(world, SURVIVOR, token, 0, false) == 0)
		token++;
	world->last = token - 1;
	remember(world);
}

static void
prepare_own(struct world *world)
{
	world->mail = segment_mailbox(world->segment, VICTIM);
	walk_need(mailbox_reserve(world->mail, RESERVE) == 0, "mailbox_reserve");
	prepare_waiting(world);
}

static void
act_send(struct world *world)
{
	walk_need(send(world, VICTIM, NEW, BODY, false) == 0, "mailbox_send");
}

static void
act_send_reserved(struct world *world)
{
	walk_need(send(world, VICTIM, UINT32_MAX, RESERVE, true) == 0, "mailbox_send");
}

static void
act_receive(struct world *world)
{
	walk_need(receive(world) == 1, "mailbox_receive");
}

static void
act_reserve(struct world *world)
{
	walk_need(mailbox_reserve(world->mail, RESERVE) == 0, "mailbox_reserve");
}

static void
act_unreserve(struct world *world)
{
	mailbox_unreserve(world->mail, RESERVE);
}

/* The victim is the supervisor, which clears after another process died. */
static void
act_clear(struct world *world)
{
	segment_clear_slot(world->segment, VICTIM);
}

static void
observe(struct world *world, struct buf *out)
{
	buf_printf(out, "lock %s; waiting %+d bytes; reserved %+d",
	    walk_lock(walk_mailbox_lock(world->mail)),
	    (int)(mailbox_used(world->mail) - world->used),
	    (int)(mailbox_reserved(world->mail) - world->reserved));
}

/* All that was there before, and then the new one or nothing. */
static void
receive_all(struct world *world, uint64_t last, uint64_t new_token)
{
	uint64_t token;

	for (uint64_t i = 1; i <= last; i++)
		walk_hold("M2", receive(world) == i);
	token = receive(world);
	walk_hold("M3", token == 0 || (token == new_token && receive(world) == 0));
}

static void
check_send(struct world *world)
{
	walk_repair(world);
	walk_hold("M4", send(world, SURVIVOR, NEW + 1, BODY, false) == 0);
	for (uint64_t i = 1; i <= WAITING; i++)
		walk_hold("M2", receive(world) == i);
	switch (receive(world)) {
	case NEW:
		walk_hold("M3", receive(world) == NEW + 1 && receive(world) == 0);
		break;
	case NEW + 1:
		walk_hold("M3", receive(world) == 0);
		break;
	default:
		walk_hold("M3", false);
	}
}

static void
check_full(struct world *world)
{
	walk_repair(world);
	walk_hold("M5", mailbox_used(world->mail) <= mailbox_capacity(world->mail));
	receive_all(world, world->last, UINT32_MAX);
	walk_hold("M4", send(world, SURVIVOR, 1, BODY, false) == 0);
}

/* The reader is dead: nothing is owed to it any more, and whoever follows it begins anew. */
static void
check_cleared(struct world *world)
{
	int r = send(world, SURVIVOR, NEW, BODY, false);

	walk_hold("M5", mailbox_used(world->mail) <= mailbox_capacity(world->mail));
	walk_hold("M6", r == 0 || r == -ENOTRECOVERABLE);
	walk_repair(world);
	walk_hold("M7", mailbox_is_empty(world->mail) && mailbox_reserved(world->mail) == 0);
	walk_hold("M4", send(world, SURVIVOR, NEW, BODY, false) == 0);
	walk_hold("M2", receive(world) == NEW && receive(world) == 0);
}

const struct scenario mailbox_scenarios[] = {
	{ "Sending mail", prepare_waiting, act_send, observe, check_send },
	{ "Sending mail around the end", prepare_wrap, act_send, observe, check_send },
	{ "Sending mail by the reserve", prepare_full, act_send_reserved, observe, check_full },
	{ "Receiving mail", prepare_own, act_receive, observe, check_cleared },
	{ "Reserving room", prepare_own, act_reserve, observe, check_cleared },
	{ "Giving reserved room back", prepare_own, act_unreserve, observe, check_cleared },
	{ "Clearing what a dead process had", prepare_own, act_clear, observe, check_cleared },
	{ 0 },
};
