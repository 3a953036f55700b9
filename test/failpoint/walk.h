/*
 * Walking the crash points of the bus: one scenario after the other, in each of which a child does
 * one operation on a fresh segment and is killed at its first point, its second, and so on.
 *
 * After each death a scenario says what others see of it, and checks what must hold. What it says
 * becomes the table in lurkbot-internals(7), so it may depend on nothing but the scenario and the
 * point.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "bus/directory.h"
#include "bus/mailbox.h"
#include "bus/ring.h"
#include "bus/segment.h"
#include "bus/visitors.h"

/* Who is who in every scenario: slots of the segment. */
enum {
	VICTIM = 0,   /* the process that is killed */
	SURVIVOR = 1, /* the one that looks, and goes on */
	SLEEPER = 2,  /* sleeps, where a scenario has one */
	WALK_WORKERS = 3,
	WALK_CONNECTIONS = 4,
	SAVED_MAX = 2048,
};

struct world {
	struct segment *segment;
	struct ring *ring;
	struct directory *directory;
	struct mailbox *mail; /* the survivor's, or the victim's: the scenario says */
	/* what stood before the operation */
	uint64_t head, oldest, oldest_after; /* the last one: when the operation is done */
	uint64_t recoveries;
	struct buf saved; /* the frames of all readable events, one behind the other */
	size_t saved_at[SAVED_MAX + 1];
	uint32_t ids[WALK_CONNECTIONS];
	uint64_t asked;
	size_t used, reserved;
	uint64_t last;		    /* token of the mail that was sent last */
	struct visitor visitors[2]; /* of victim and survivor */
};

struct scenario {
	const char *title;
	void (*prepare)(struct world *world);
	void (*act)(struct world *world); /* in the child */
	void (*observe)(struct world *world, struct buf *out);
	void (*check)(struct world *world); /* repairs as the supervisor does, in its course */
};

extern const struct scenario ring_scenarios[];
extern const struct scenario mailbox_scenarios[];
extern const struct scenario directory_scenarios[];
extern const struct scenario visitors_scenarios[];
extern const struct scenario providers_scenarios[];
extern const struct scenario ledger_scenarios[];
extern const struct scenario wake_scenarios[];

/* Invariant `name` (I1, I2...: see the page) was looked at, and held or not. */
void walk_hold(const char *name, bool holds);

/* Something that must work in a test failed: ends the walk. */
void walk_need(bool works, const char *what) __attribute__((nonnull));

/* Runs `act` in a child that ends, or is killed by `act` itself; waits for it. */
void walk_in_child(struct world *world, void (*act)(struct world *world));

/* How the lock at this address stands: "free" or "its holder is dead". */
const char *walk_lock(const void *shlock);

/* The lock of a mailbox, and of the visitors, whose structs are their own affair. */
const void *walk_mailbox_lock(const struct mailbox *mailbox);
const void *walk_visitors_lock(const struct visitors *visitors);

/* The supervisor's repair after the victim was reaped. */
void walk_repair(struct world *world);
