/*
 * Connections from one address are counted and go, and one address fails to authenticate once too
 * often.
 */
#include "base/clock.h"
#include "bus/layout.h"
#include "bus/visitors.h"
#include "walk.h"

enum { HERE, THERE, ELSEWHERE };

static const struct visitors_limits no_limits = { 0 };
static const struct visitors_rule twice = { .failures = 2, .within_ms = 60000, .refuse_ms = 60000 };

static struct visitors *
table(const struct world *world)
{
	return segment_visitors(world->segment);
}

static struct ip
ip_of(unsigned where)
{
	struct ip ip;

	ip_set_v4(&ip, (const uint8_t[4]){ 192, 0, 2, (uint8_t)where });
	return ip;
}

static void
enter(struct world *world, unsigned where, struct visitor *ret)
{
	struct ip ip = ip_of(where);

	walk_need(visitors_enter(table(world), &ip, &no_limits, ret) == VISITORS_COUNTED,
	    "visitors_enter");
}

/* Both come from the same address. */
static void
prepare(struct world *world)
{
	struct ip there = ip_of(THERE);

	enter(world, HERE, &world->visitors[SURVIVOR]);
	enter(world, HERE, &world->visitors[VICTIM]);
	walk_need(!visitors_fail(table(world), &there, &twice), "visitors_fail");
}

/* A process has died, and nobody has counted since. */
static void
prepare_round(struct world *world)
{
	prepare(world);
	walk_repair(world);
}

static void
act_enter(struct world *world)
{
	enter(world, ELSEWHERE, &world->visitors[VICTIM]);
}

static void
act_know(struct world *world)
{
	visitors_know(table(world), &world->visitors[VICTIM]);
}

static void
act_leave(struct world *world)
{
	visitors_leave(table(world), &world->visitors[VICTIM]);
}

static void
act_count_again(struct world *world)
{
	walk_need(
	    visitors_count_again(table(world), &world->visitors[VICTIM]), "visitors_count_again");
}

static void
act_fail(struct world *world)
{
	struct ip there = ip_of(THERE);

	walk_need(visitors_fail(table(world), &there, &twice), "visitors_fail");
}

/* The victim is the supervisor, which clears after another process died. */
static void
act_clear(struct world *world)
{
	visitors_clear_slot(table(world));
}

/* The lock is the first thing in the table. */
static void
observe(struct world *world, struct buf *out)
{
	struct visitors_limits here, elsewhere;
	struct ip ip = ip_of(HERE), other = ip_of(ELSEWHERE), there = ip_of(THERE);

	visitors_get(table(world), &ip, &here);
	visitors_get(table(world), &other, &elsewhere);
	buf_printf(out,
	    "lock %s; connections %u, of strangers %u; of another address %u; refused: %s",
	    walk_lock(walk_visitors_lock(table(world))), here.connections, here.strangers,
	    elsewhere.connections,
	    visitors_refused_ms(table(world), &there, clock_mono_ms()) > 0 ? "yes" : "no");
}

static bool
has(const struct world *world, unsigned where, uint32_t connections, uint32_t strangers)
{
	struct visitors_limits counted;
	struct ip ip = ip_of(where);

	visitors_get(table(world), &ip, &counted);
	return counted.connections == connections && counted.strangers == strangers;
}

static void
check(struct world *world)
{
	uint32_t round = visitors_round(table(world));
	struct ip there = ip_of(THERE);
	bool was_refused = visitors_refused_ms(table(world), &there, clock_mono_ms()) > 0;
	struct visitor another;

	walk_repair(world);
	walk_hold("V1", visitors_round(table(world)) != round);
	walk_hold("V2", visitors_count_again(table(world), &world->visitors[SURVIVOR]));
	walk_hold("V2", has(world, HERE, 1, 1) && has(world, ELSEWHERE, 0, 0));
	walk_hold(
	    "V3", !was_refused || visitors_refused_ms(table(world), &there, clock_mono_ms()) > 0);
	enter(world, ELSEWHERE, &another);
	walk_hold("V4", has(world, ELSEWHERE, 1, 1));
}

const struct scenario visitors_scenarios[] = {
	{ "Counting a connection of an address", prepare, act_enter, observe, check },
	{ "One that is no stranger's any more", prepare, act_know, observe, check },
	{ "Counting a connection no more", prepare, act_leave, observe, check },
	{ "Counting again in a new round", prepare_round, act_count_again, observe, check },
	{ "The failure that has an address refused", prepare, act_fail, observe, check },
	{ "Beginning a round, for a dead process", prepare, act_clear, observe, check },
	{ 0 },
};
