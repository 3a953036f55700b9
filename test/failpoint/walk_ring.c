/*
 * Publishing, in every state of the ring that makes a difference.
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/digits.h"
#include "bus/ring_view.h"
#include "walk.h"

enum {
	LONG = 3000, /* bytes of a frame: a ring of 64 KiB holds some twenty */
	SHORT = 40,
	FILL = 600, /* short ones, more than the index has entries for */
	ID_WIDTH = 8,
	AT_WIDTH = 13,
	TEXT_MAX = 4096,
};

/* id, at, a text that follows from `salt`, and seq. */
static void
publish(struct ring *ring, unsigned slot, size_t len, unsigned salt)
{
	char text[TEXT_MAX];
	unsigned seq_width = digits_decimal_width(ring_head(ring) + 1);
	struct ring_draft draft = {
		.name = SPAN("walk.event"),
		.key = SPAN("key"),
		.frame = span_make(text, len),
		.id = { 0, ID_WIDTH },
		.at = { ID_WIDTH, AT_WIDTH },
		.seq = { (uint32_t)(len - seq_width), seq_width },
	};
	struct ring_receipt receipt;

	for (size_t i = 0; i < len; i++)
		text[i] = (char)('a' + (i * 7 + salt) % 26);
	walk_need(ring_publish(ring, slot, &draft, &receipt) == 0, "ring_publish");
}

static void
prepare_empty(struct world *world)
{
	(void)world;
}

static void
prepare_some(struct world *world)
{
	for (unsigned i = 0; i < 3; i++)
		publish(world->ring, SURVIVOR, SHORT + i, i);
}

static void
prepare_full_of_bytes(struct world *world)
{
	while (ring_oldest(world->ring) < 4)
		publish(world->ring, SURVIVOR, LONG, (unsigned)ring_head(world->ring));
}

static void
prepare_full_of_entries(struct world *world)
{
	for (unsigned i = 0; i < FILL; i++)
		publish(world->ring, SURVIVOR, SHORT, i);
	walk_need(ring_oldest(world->ring) > 1, "filling the index");
}

static void
die_with_the_lock(struct world *world)
{
	walk_need(shlock_take(&world->ring->parts.shared->lock, NULL) == 0, "shlock_take");
	kill(getpid(), SIGKILL);
}

static void
prepare_dead_holder(struct world *world)
{
	prepare_some(world);
	walk_in_child(world, die_with_the_lock);
}

static void
act(struct world *world)
{
	publish(world->ring, VICTIM, LONG, 11);
}

static void
observe(struct world *world, struct buf *out)
{
	struct ring *ring = world->ring;
	uint64_t head = ring_head(ring);
	uint64_t seq = ring_view_index(ring, world->head + 1)->seq;

	buf_printf(out, "lock %s; head +%u; entry of the event %s; oldest event +%u",
	    walk_lock(&ring->parts.shared->lock), (unsigned)(head - world->head),
	    seq == 0		     ? "open"
	    : seq == world->head + 1 ? "complete"
				     : "of an older one",
	    (unsigned)(ring_oldest(ring) - world->oldest));
}

static bool
reads_whole(const struct world *world, uint64_t seq)
{
	struct buf frames = { 0 }, labels = { 0 };
	struct ring_record record;
	size_t i = (size_t)(seq - world->oldest);
	bool is_whole =
	    ring_read(world->ring, seq, &frames, &labels, &record) == RING_RECORD &&
	    record.seq == seq &&
	    (seq > world->head || span_is_equal(buf_span(&frames),
				      span_make(world->saved.data + world->saved_at[i],
					  world->saved_at[i + 1] - world->saved_at[i]))) &&
	    span_is(buf_span(&labels), "walk.eventkey");

	buf_fini(&frames);
	buf_fini(&labels);
	return is_whole;
}

static bool
all_read_whole(const struct world *world)
{
	uint64_t head = ring_head(world->ring);

	for (uint64_t seq = ring_oldest(world->ring); seq <= head; seq++)
		if (!reads_whole(world, seq))
			return false;
	return true;
}

static enum ring_verdict
look(struct ring *ring, uint64_t seq)
{
	struct buf frames = { 0 }, labels = { 0 };
	struct ring_record record;
	enum ring_verdict verdict = ring_read(ring, seq, &frames, &labels, &record);

	buf_fini(&frames);
	buf_fini(&labels);
	return verdict;
}

static void
check(struct world *world)
{
	struct ring *ring = world->ring;
	bool was_held = strcmp(walk_lock(&ring->parts.shared->lock), "free") != 0;
	uint64_t head = ring_head(ring);

	walk_hold("R1", head == world->head || head == world->head + 1);
	walk_hold("R2", ring_oldest(ring) <= world->oldest_after && all_read_whole(world));
	walk_hold("R3", look(ring, head + 1) == RING_EMPTY);
	walk_repair(world);
	walk_hold("R4", !was_held || ring_mutex_recoveries(ring) > world->recoveries);
	publish(ring, SURVIVOR, SHORT, 5);
	walk_hold("R5", ring_head(ring) == head + 1 && all_read_whole(world));
	walk_hold("R6", ring_adopt(ring) == 0 && ring_head(ring) == head + 1);
}

const struct scenario ring_scenarios[] = {
	{ "Publishing the first event", prepare_empty, act, observe, check },
	{ "Publishing behind others", prepare_some, act, observe, check },
	{ "Publishing over older events", prepare_full_of_bytes, act, observe, check },
	{ "Publishing with a full index", prepare_full_of_entries, act, observe, check },
	{ "Publishing after a holder of the lock died", prepare_dead_holder, act, observe, check },
	{ 0 },
};
