/*
 * Directory, roster, counters and wake bits when another process of ours runs wild: claims, closes
 * and questions of our own, between them anything written over the shared memory of all four. What
 * must hold for any bytes: no access outside, an end of every call, slots that exist, reasons that
 * end; and a directory whose slots were cleared has what it had for the living.
 *
 * All of the shared memory is at the feed's mercy but the mutex, which is glibc's own.
 */
#include <errno.h>

#include "bus/counters.h"
#include "bus/directory.h"
#include "bus/directory_view.h"
#include "bus/layout.h"
#include "bus/roster.h"
#include "bus/wake.h"
#include "fuzz.h"

enum {
	CAPACITY = 100, /* no power of two: there are ids of entries beyond */
	SLOTS = 3,
	IDS = 8,
	OPERATIONS_MAX = 200,
};

struct stage {
	struct directory *directory;
	struct directory_parts parts;
	struct roster *roster;
	struct roster_shared *roster_shared;
	struct counters *counters;
	struct wake *wake;
	struct wake_shared *wake_shared;
	uint32_t ids[IDS];
};

static void *
lines_new(size_t n)
{
	void *lines = aligned_alloc(LAYOUT_LINE, (n + LAYOUT_LINE - 1) / LAYOUT_LINE * LAYOUT_LINE);

	must(lines != NULL);
	memset(lines, 0, n);
	return lines;
}

static size_t
roster_bytes(void)
{
	return sizeof(struct roster_shared) + SLOTS * sizeof(struct roster_line);
}

static void
stage_open(struct stage *stage)
{
	stage->parts = (struct directory_parts){
		.shared = lines_new(sizeof(struct directory_shared)),
		.slots = lines_new(SLOTS * sizeof(struct directory_slot)),
		.entries = block_new(CAPACITY * sizeof(uint64_t)),
		.capacity = CAPACITY,
		.slot_count = SLOTS,
	};
	stage->roster_shared = lines_new(roster_bytes());
	stage->counters = lines_new(sizeof(*stage->counters));
	stage->wake_shared = lines_new(sizeof(*stage->wake_shared));
	stage->directory = directory_new(&stage->parts);
	stage->roster = roster_new(stage->roster_shared, SLOTS);
	must(stage->directory != NULL && stage->roster != NULL);
	must(wake_new(stage->wake_shared, SLOTS, &stage->wake) == 0);
}

/* The same ids each time, so that a feed always means the same. */
static void
stage_reset(struct stage *stage)
{
	static const uint32_t factors[] = { 0x9e3779b1, 0x85ebca6b };

	must(directory_format(stage->directory) == 0);
	directory_view_set_factors(stage->directory, factors);
	stage->directory->cursor_slot = SLOTS;
	roster_format(stage->roster);
	wake_format(stage->wake);
	memset((void *)stage->counters, 0, sizeof(*stage->counters));
	memset(stage->ids, 0, sizeof(stage->ids));
}

/* --- our own doing ------------------------------------------------------------------------ */

static uint32_t *
feed_id(struct stage *stage, struct feed *feed)
{
	return &stage->ids[feed_byte(feed) % IDS];
}

static void
claim(struct stage *stage, struct feed *feed)
{
	uint32_t *id = feed_id(stage, feed);
	unsigned slot = feed_byte(feed) % (SLOTS + 1), found;
	int r = directory_claim(stage->directory, slot, id);

	must(r == 0 || r == -ENOSPC || (r == -EINVAL && slot == SLOTS));
	if (r < 0)
		return;
	must(*id != 0 && directory_find(stage->directory, *id, &found) == 0 && found == slot);
}

static void
request_close(struct stage *stage, struct feed *feed)
{
	static const char text[] =
	    "a reason, and if it is too long then it is cut, but never in "
	    "the middle of a character such as \xc3\xa9 or \xe2\x82\xac, "
	    "because then it would be none: "
	    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9";
	uint32_t id = *feed_id(stage, feed);
	struct span reason = span_make(text, feed_byte(feed) % sizeof(text));
	unsigned slot = SLOTS, owner = SLOTS;
	int r = directory_request_close(stage->directory, id, reason, &slot);

	must((r == 0) == (directory_find(stage->directory, id, &owner) == 0));
	must(r == -ENOENT || (r == 0 && slot == owner && slot < SLOTS));
}

static void
take_close(struct stage *stage, struct feed *feed)
{
	char reason[DIRECTORY_REASON_MAX + 1];
	uint32_t id = *feed_id(stage, feed);
	bool is_asked = directory_take_close(stage->directory, id, reason);

	if (is_asked)
		must(strlen(reason) <= DIRECTORY_REASON_MAX);
	must(!directory_take_close(stage->directory, id, reason));
}

static void
ask(struct stage *stage, struct feed *feed)
{
	unsigned slot = feed_byte(feed) % (SLOTS + 1), found = SLOTS;
	uint32_t id = (uint32_t)feed_wild(feed);

	if (directory_find(stage->directory, id, &found) == 0)
		must(found < SLOTS);
	must(directory_find(stage->directory, 0, &found) == -ENOENT);
	(void)directory_close_requests(stage->directory, slot);
	must(!directory_has_requests(stage->directory, slot));
	must(slot < SLOTS || directory_count(stage->directory, slot) == 0);
	must(directory_capacity(stage->directory) == CAPACITY);
	(void)directory_recoveries(stage->directory);
	(void)directory_stuck_holder(stage->directory, 0);
}

static void
clear(struct stage *stage, struct feed *feed)
{
	unsigned slot = feed_byte(feed) % (SLOTS + 1), found;

	directory_clear_slot(stage->directory, slot);
	must(directory_count(stage->directory, slot) == 0);
	for (unsigned i = 0; i < IDS; i++)
		if (directory_find(stage->directory, stage->ids[i], &found) == 0)
			must(found != slot);
}

/* --- the neighbours ----------------------------------------------------------------------- */

static void
use_roster(struct stage *stage, struct feed *feed)
{
	unsigned slot = feed_byte(feed) % (SLOTS + 1);
	struct roster_gateway gateway;
	struct roster_entry entry;
	uint32_t before = roster_generation(stage->roster, slot);
	uint32_t generation = roster_start(stage->roster, slot, 1, 2, 3);
	const struct roster_usage usage = { feed_wild(feed), feed_wild(feed), feed_wild(feed) };

	must((generation == 0) == (slot == SLOTS));
	must(slot == SLOTS || (generation != before && generation != 0));
	roster_set_usage(stage->roster, slot, &usage);
	roster_beat(stage->roster, slot, feed_wild(feed));
	roster_end(stage->roster, slot, feed_byte(feed) % 2 == 0);
	roster_get(stage->roster, slot, &entry);
	must(entry.generation == generation && entry.pid == 0);
	roster_get_gateway(stage->roster, &gateway);
}

/* Whatever state stands in a line, it has a name. */
static void
read_roster(struct stage *stage)
{
	struct roster_entry entry;

	for (unsigned slot = 0; slot <= SLOTS; slot++) {
		roster_get(stage->roster, slot, &entry);
		must(roster_state_name(entry.state) != NULL);
	}
}

static void
use_counters(struct stage *stage, struct feed *feed)
{
	struct counters *counters = stage->counters;

	counters_observe(&counters->delivery_latency, feed_wild(feed));
	must(counters_close_bucket((uint16_t)feed_wild(feed)) < COUNTERS_CLOSES);
	counters_clear_gauges(counters);
	must(counters_get(&counters->connections) == 0 && counters_get(&counters->websockets) == 0);
	must(counters_get(&counters->accepted) == counters_get(&counters->closed));
}

static void
use_wake(struct stage *stage, struct feed *feed)
{
	unsigned slot = feed_byte(feed) % (SLOTS + 1);

	wake_arm(stage->wake, slot);
	must(wake_is_armed(stage->wake, slot) == (slot < SLOTS));
	if (feed_byte(feed) % 2 == 0)
		wake_call(stage->wake, slot);
	else
		wake_call_all(stage->wake);
	must(!wake_is_armed(stage->wake, slot));
	wake_drain(stage->wake, slot);
}

/* --- the other's doing -------------------------------------------------------------------- */

/* A word of an entry: one of an id that we have, or any. */
static void
poke_entry(struct stage *stage, struct feed *feed)
{
	_Atomic uint64_t *entry = &stage->parts.entries[feed_byte(feed) % CAPACITY];
	uint64_t shift = feed_byte(feed) % 4 * 16, value = feed_wild(feed);
	uint32_t id = *feed_id(stage, feed);

	if (id != 0)
		(void)directory_view_word(stage->directory, id, &entry);
	if (shift == 0)
		atomic_store(entry, value);
	else
		atomic_store(
		    entry, (*entry & ~(UINT64_C(0xffff) << shift)) | (value & 0xffff) << shift);
}

static void
overlay_something(struct stage *stage, struct feed *feed)
{
	struct directory_parts *parts = &stage->parts;

	switch (feed_byte(feed) % 6) {
	case 0:
		overlay(feed, parts->entries, CAPACITY * sizeof(parts->entries[0]));
		break;
	case 1:
		overlay(feed, parts->slots, SLOTS * sizeof(parts->slots[0]));
		break;
	case 2:
		overlay(feed, parts->shared->factors,
		    sizeof(*parts->shared) - offsetof(struct directory_shared, factors));
		break;
	case 3:
		overlay(feed, stage->roster_shared, roster_bytes());
		break;
	case 4:
		overlay(feed, stage->counters, sizeof(*stage->counters));
		break;
	default:
		overlay(feed, stage->wake_shared, sizeof(*stage->wake_shared));
		break;
	}
}

/* All places taken, or all but a few: what is looked for is then hard to find. */
static void
fill(struct stage *stage, struct feed *feed)
{
	uint64_t word = feed_wild(feed);

	for (unsigned i = 0; i < CAPACITY; i++)
		atomic_store(&stage->parts.entries[i], word);
	if (feed_byte(feed) % 2 == 0)
		atomic_store(&stage->parts.entries[feed_byte(feed) % CAPACITY], 0);
}

static void
operate(struct stage *stage, struct feed *feed)
{
	switch (feed_byte(feed) % 12) {
	case 0:
		claim(stage, feed);
		break;
	case 1:
		directory_release(stage->directory, *feed_id(stage, feed));
		break;
	case 2:
		request_close(stage, feed);
		break;
	case 3:
		take_close(stage, feed);
		break;
	case 4:
		ask(stage, feed);
		break;
	case 5:
		clear(stage, feed);
		break;
	case 6:
		use_roster(stage, feed);
		break;
	case 7:
		use_counters(stage, feed);
		break;
	case 8:
		use_wake(stage, feed);
		break;
	case 9:
		poke_entry(stage, feed);
		break;
	case 10:
		fill(stage, feed);
		break;
	default:
		overlay_something(stage, feed);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static struct stage stage;
	struct feed feed = { bytes, n };

	if (stage.directory == NULL)
		stage_open(&stage);
	stage_reset(&stage);
	for (unsigned i = 0; i < OPERATIONS_MAX && feed.n > 0; i++)
		operate(&stage, &feed);
	read_roster(&stage);
	for (unsigned slot = 0; slot < SLOTS; slot++)
		clear(&stage, &(struct feed){ (const uint8_t[]){ (uint8_t)slot }, 1 });
	return 0;
}
