/*
 * The bell: joins who sleeps (bus/wake) with what there is to wake up for.
 *
 * The order is everything: arm, then look; publish, then ring. The fences stand in bus/wake.
 */
#include "bus/bell.h"

#include "bus/directory.h"
#include "bus/mailbox.h"
#include "bus/providers.h"
#include "bus/ring.h"
#include "bus/segment.h"
#include "bus/wake.h"

static bool
has_work(const struct segment *segment, unsigned slot, uint64_t seen_seq)
{
	return ring_head(segment_ring(segment)) != seen_seq ||
	       !mailbox_is_empty(segment_mailbox(segment, slot)) ||
	       directory_has_requests(segment_directory(segment), slot) ||
	       providers_has_news(segment_providers(segment), slot);
}

bool
bell_arm(struct segment *segment, unsigned slot, uint64_t seen_seq)
{
	struct wake *wake = segment_wake(segment);

	if (slot >= segment_slots(segment))
		return false;
	wake_arm(wake, slot);
	if (!has_work(segment, slot, seen_seq))
		return true;
	wake_disarm(wake, slot);
	return false;
}

void
bell_disarm(struct segment *segment, unsigned slot)
{
	wake_disarm(segment_wake(segment), slot);
}

void
bell_drain(struct segment *segment, unsigned slot)
{
	wake_drain(segment_wake(segment), slot);
}

void
bell_ring(struct segment *segment, unsigned slot)
{
	wake_call(segment_wake(segment), slot);
}

void
bell_ring_all(struct segment *segment)
{
	wake_call_all(segment_wake(segment));
}

void
bell_force_all(struct segment *segment)
{
	wake_force_all(segment_wake(segment));
}
