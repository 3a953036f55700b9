/*
 * Who sleeps, and the descriptors that wake them: the two halves that bus/bell joins.
 *
 * One bit for each slot, all in one cache line: a publisher learns by a few loads whether anybody
 * sleeps at all. A sleeper sets its bit; who takes the bit away owes it a write to its eventfd.
 * The bits are drawn in bus/layout.h.
 *
 * The protocol needs a full fence on both sides, which is here: after the bit is set and before
 * the sleeper looks for work a last time; after work was published and before the bits are looked
 * at. One of the two then sees the other.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

enum {
	WAKE_SLOTS_MAX = 320,
};

struct wake_shared;
struct wake; /* a process's view, with the descriptors; owned by the segment */

/* Creates `slots` eventfds. Returns 0; -errno and leaves nothing open. */
int wake_new(struct wake_shared *shared, unsigned slots, struct wake **ret) must_check;
/* Closes the descriptors of this process. */
void wake_free(struct wake *wake);
/* Nobody sleeps. */
void wake_format(struct wake *wake);

/* Sets the bit of `slot`; look for work once more before sleeping. */
void wake_arm(struct wake *wake, unsigned slot);
/* Takes the bit away again: awake. */
void wake_disarm(struct wake *wake, unsigned slot);
/* Wakes `slot`, if it sleeps. After the work was published. */
void wake_call(struct wake *wake, unsigned slot);
/* Wakes all that sleep. */
void wake_call_all(struct wake *wake);
/* Writes to every descriptor, whether its owner seems to sleep or not. */
void wake_force_all(struct wake *wake);
/* Empties the eventfd of `slot`. */
void wake_drain(struct wake *wake, unsigned slot);

/* Whether the bit of `slot` is set. */
bool wake_is_armed(const struct wake *wake, unsigned slot);
/* The eventfd of `slot`, -1 when there is no such slot. */
int wake_fd(const struct wake *wake, unsigned slot);
