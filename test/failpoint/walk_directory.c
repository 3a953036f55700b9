/*
 * Connections come, go, and are asked to close.
 */
#include <errno.h>
#include <string.h>

#include "bus/directory_view.h"
#include "walk.h"

static const char why[] = "because";

static void
claim(struct world *world, unsigned slot, unsigned i)
{
	walk_need(directory_claim(world->directory, slot, &world->ids[i]) == 0, "directory_claim");
}

/* Connection 0 is the survivor's, 1 the victim's. */
static void
prepare(struct world *world)
{
	claim(world, SURVIVOR, 0);
	claim(world, VICTIM, 1);
	world->asked = directory_close_requests(world->directory, SURVIVOR);
}

static void
prepare_asked(struct world *world)
{
	unsigned slot;

	prepare(world);
	walk_need(
	    directory_request_close(world->directory, world->ids[1], SPAN("because"), &slot) == 0,
	    "directory_request_close");
}

static void
act_claim(struct world *world)
{
	claim(world, VICTIM, 2);
}

static void
act_release(struct world *world)
{
	directory_release(world->directory, world->ids[1]);
}

static void
act_ask(struct world *world)
{
	unsigned slot;

	walk_need(
	    directory_request_close(world->directory, world->ids[0], SPAN("because"), &slot) == 0,
	    "directory_request_close");
}

static void
act_take(struct world *world)
{
	char reason[DIRECTORY_REASON_MAX + 1];

	directory_close_requests(world->directory, VICTIM);
	walk_need(directory_take_close(world->directory, world->ids[1], reason), "take_close");
}

static void
observe(struct world *world, struct buf *out)
{
	_Atomic uint64_t *entry;
	unsigned claimed = 0;
	uint64_t mine = directory_view_word(world->directory, world->ids[0], &entry);

	for (unsigned i = 0; i < WALK_CONNECTIONS; i++)
		claimed += (world->directory->parts.entries[i] & DIRECTORY_SLOT_MASK) != 0;
	buf_printf(out,
	    "lock %s; %u entries claimed; the dead one's count %u; close asked of another: %s",
	    walk_lock(&world->directory->parts.shared->lock), claimed,
	    directory_count(world->directory, VICTIM),
	    directory_view_close(mine) == 0			 ? "no"
	    : directory_has_requests(world->directory, SURVIVOR) ? "yes"
								 : "yes, untold");
}

static bool
is_mine(const struct world *world, uint32_t id)
{
	unsigned slot = VICTIM;

	return directory_find(world->directory, id, &slot) == 0 && slot == SURVIVOR;
}

/* A close that was asked for is found by its owner, whose counter has moved, with its reason. */
static void
check_close(struct world *world)
{
	char reason[DIRECTORY_REASON_MAX + 1];
	_Atomic uint64_t *entry;
	bool is_asked =
	    directory_view_close(directory_view_word(world->directory, world->ids[0], &entry)) != 0;
	bool is_told = directory_close_requests(world->directory, SURVIVOR) != world->asked;

	walk_hold("D4", !is_asked || is_told);
	if (!is_asked)
		return;
	walk_hold("D5", directory_take_close(world->directory, world->ids[0], reason) &&
			    strcmp(reason, why) == 0);
}

/* All entries but the survivor's own can be claimed again, each under an id of its own. */
static void
check_free(struct world *world)
{
	uint32_t ids[WALK_CONNECTIONS], one_more;

	ids[0] = world->ids[0];
	for (unsigned i = 1; i < WALK_CONNECTIONS; i++) {
		walk_hold("D2", directory_claim(world->directory, SURVIVOR, &ids[i]) == 0);
		for (unsigned j = 0; j < i; j++)
			walk_hold("D3", ids[j] != ids[i]);
		walk_hold("D3", ids[i] != world->ids[1]);
	}
	walk_hold("D2", directory_claim(world->directory, SURVIVOR, &one_more) == -ENOSPC);
}

static void
check(struct world *world)
{
	unsigned slot;

	walk_hold("D1", is_mine(world, world->ids[0]));
	walk_repair(world);
	walk_hold("D1", is_mine(world, world->ids[0]));
	walk_hold("D2", directory_find(world->directory, world->ids[1], &slot) == -ENOENT &&
			    directory_count(world->directory, VICTIM) == 0);
	check_close(world);
	check_free(world);
	/* The lock of the reasons is to be had, and so is a place for one. */
	walk_hold("D6",
	    directory_request_close(world->directory, world->ids[0], SPAN("because"), &slot) == 0);
	check_close(world);
}

/* The victim is the supervisor, which clears after another process died. */
static void
act_clear(struct world *world)
{
	directory_clear_slot(world->directory, VICTIM);
}

const struct scenario directory_scenarios[] = {
	{ "Claiming an entry of the directory", prepare, act_claim, observe, check },
	{ "Releasing an entry", prepare, act_release, observe, check },
	{ "Asking another process to close a connection", prepare, act_ask, observe, check },
	{ "Taking the request to close", prepare_asked, act_take, observe, check },
	{ "Clearing the entries of a dead process", prepare, act_clear, observe, check },
	{ 0 },
};
