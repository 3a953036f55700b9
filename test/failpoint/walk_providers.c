/*
 * A provider registers, its seats are taken and given back, and a call under an idempotency key begins and ends.
 */
#include "base/clock.h"
#include "bus/idempotency.h"
#include "bus/layout.h"
#include "bus/providers.h"
#include "bus/seats.h"
#include "walk.h"

enum { OURS = 7, THEIRS = 8, METHOD = 0, TIMEOUT_MS = 30000 };

static struct providers_copy copy;

static struct providers *
table(const struct world *world)
{
	return segment_providers(world->segment);
}

static struct idempotency *
keys(const struct world *world)
{
	return segment_idempotency(world->segment);
}

static void
offer(struct world *world, uint32_t conn_id, unsigned slot)
{
	const struct span method = SPAN_INIT("m"), channel = SPAN_INIT("c");
	struct provider_offer offer = { .conn_id = conn_id,
		.slot = slot,
		.concurrency = 1,
		.methods = &method,
		.methods_count = 1,
		.channels = &channel,
		.channels_count = 1 };
	unsigned row;

	walk_need(providers_register(table(world), &offer, &row) == 0, "providers_register");
	world->used = row;
}

static struct seats_place
place(const struct world *world)
{
	return (struct seats_place){ .conn_id = THEIRS, .row = (uint16_t)world->used };
}

static enum seats_verdict
take(struct world *world, unsigned slot)
{
	struct seats_place at = place(world);
	struct seats_wanted wanted = { .slot = slot, .method = METHOD, .places = &at, .count = 1 };
	unsigned which;

	return seats_take(table(world), &wanted, &which);
}

/* The survivor's provider, with one seat. */
static void
prepare(struct world *world)
{
	offer(world, THEIRS, SURVIVOR);
	walk_need(providers_read(table(world), &copy) == 0, "providers_read");
}

/* The victim has it, and the survivor waits. */
static void
prepare_taken(struct world *world)
{
	prepare(world);
	walk_need(take(world, VICTIM) == SEATS_TAKEN, "seats_take");
	walk_need(take(world, SURVIVOR) == SEATS_WAITS, "seats_take");
}

static void
act_register(struct world *world)
{
	offer(world, OURS, VICTIM);
}

static void
act_leave(struct world *world)
{
	walk_need(
	    providers_leave(table(world), (unsigned)world->used, THEIRS) == 0, "providers_leave");
}

static void
act_read(struct world *world)
{
	walk_need(providers_read(table(world), &copy) == 0, "providers_read");
}

/* There is something to announce, of both kinds. */
static void
prepare_news(struct world *world)
{
	prepare(world);
	act_leave(world);
}

static void
act_take(struct world *world)
{
	walk_need(take(world, VICTIM) == SEATS_TAKEN, "seats_take");
}

static void
act_release(struct world *world)
{
	struct seats_place at = place(world);
	unsigned slot;

	walk_need(seats_release(table(world), VICTIM, &at, false, &slot) == 0, "seats_release");
}

/* The lock is the first thing in both. */
static void
observe(struct world *world, struct buf *out)
{
	struct providers_shared *const *view = (const void *)table(world);

	buf_printf(out,
	    "lock %s; %u providers, generation %+d; in flight %u, granted to the survivor %u",
	    walk_lock(*view), providers_count(table(world)),
	    (int)(providers_generation(table(world)) - copy.generation),
	    seats_in_flight(table(world), (unsigned)world->used),
	    seats_granted(table(world), SURVIVOR, (unsigned)world->used));
}

/* What the victim had is gone, what the survivor has is there, and its seat is free or its own. */
static void
check_kept(struct world *world)
{
	struct seats_place at = place(world);
	unsigned granted;

	walk_repair(world);
	walk_hold("P1", providers_read(table(world), &copy) == 0 && copy.provider_count == 1 &&
			    copy.providers[0].conn_id == THEIRS);
	granted = seats_granted(table(world), SURVIVOR, at.row);
	walk_hold("P2", seats_in_flight(table(world), at.row) == granted);
	walk_hold("P2", granted == 1 ? seats_use(table(world), SURVIVOR, &at) == 0
				     : take(world, SURVIVOR) == SEATS_TAKEN);
	walk_hold("P3", take(world, SURVIVOR) == SEATS_WAITS);
}

/* The same where the provider leaves: it is there as a whole, or not at all, and can come again. */
static void
check_left(struct world *world)
{
	walk_repair(world);
	walk_hold("P1", providers_read(table(world), &copy) == 0 &&
			    copy.provider_count == providers_count(table(world)));
	offer(world, THEIRS, SURVIVOR);
	walk_hold("P2", take(world, SURVIVOR) == SEATS_TAKEN);
	walk_hold("P3", take(world, SURVIVOR) == SEATS_WAITS);
}

/* --- idempotency keys ------------------------------------------------------------------------ */

static struct buf answer;

static enum idempotency_verdict
begin(struct world *world, unsigned slot)
{
	struct idempotency_call call = { .identity = SPAN("k"),
		.params = SPAN("{}"),
		.slot = slot,
		.now_ms = 1,
		.timeout_ms = TIMEOUT_MS };
	idempotency_ticket ticket = 0;
	unsigned kind;
	enum idempotency_verdict verdict =
	    idempotency_begin(keys(world), &call, &ticket, &kind, &answer);

	if (ticket != 0)
		world->last = ticket;
	return verdict;
}

static void
prepare_begun(struct world *world)
{
	walk_need(begin(world, VICTIM) == IDEMPOTENCY_FIRST, "idempotency_begin");
}

static void
act_begin(struct world *world)
{
	walk_need(begin(world, VICTIM) == IDEMPOTENCY_FIRST, "idempotency_begin");
}

static void
act_hand_over(struct world *world)
{
	idempotency_hand_over(keys(world), world->last, SURVIVOR);
}

static void
act_finish(struct world *world)
{
	(void)idempotency_finish(keys(world), world->last, 1, SPAN("\"done\""), 1);
}

static void
observe_key(struct world *world, struct buf *out)
{
	struct idempotency_shared *const *view = (const void *)keys(world);
	unsigned running, finished;

	idempotency_count(keys(world), 1, &running, &finished);
	buf_printf(out, "lock %s; %u running, %u finished", walk_lock(*view), running, finished);
}

/* It was answered, whole; or it runs on with the survivor, who ends it; or the next is the first. */
static void
check_key(struct world *world)
{
	enum idempotency_verdict verdict;

	walk_repair(world);
	verdict = begin(world, SURVIVOR);
	if (verdict == IDEMPOTENCY_RUNNING)
		walk_hold(
		    "K2", idempotency_finish(keys(world), world->last, 1, SPAN("\"done\""), 1));
	else if (verdict == IDEMPOTENCY_FIRST)
		(void)idempotency_finish(keys(world), world->last, 1, SPAN("\"done\""), 1);
	walk_hold("K1",
	    begin(world, SURVIVOR) == IDEMPOTENCY_ANSWER && span_is(buf_span(&answer), "\"done\""));
	buf_fini(&answer);
}

const struct scenario providers_scenarios[] = {
	{ "Registering a provider", prepare, act_register, observe, check_kept },
	{ "Taking the provider of another away", prepare, act_leave, observe, check_left },
	{ "Reading what has changed", prepare_news, act_read, observe, check_left },
	{ "Taking a seat", prepare, act_take, observe, check_kept },
	{ "Giving a seat back, for which somebody waits", prepare_taken, act_release, observe,
	    check_kept },
	{ "Beginning a call under a key", prepare, act_begin, observe_key, check_key },
	{ "Handing it over to another process", prepare_begun, act_hand_over, observe_key,
	    check_key },
	{ "Keeping its answer", prepare_begun, act_finish, observe_key, check_key },
	{ 0 },
};
