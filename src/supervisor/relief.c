/*
 * Why this file exists: a worker that leaks must not take the machine with it, nor its clients. The spare one
 * stands in a row that nobody lives in; where there is none, or no shared memory for its mailbox, the fat one
 * retires first and is started anew in its own row.
 */
#include "supervisor/relief.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "bus/counters.h"
#include "bus/segment.h"
#include "supervisor/crew.h"

/* A limit that no worker can keep must not have them come and go all the time. */
enum { INFANCY_MS = 10 * 1000 };

static struct child *
find_spare(const struct crew *crew)
{
	struct segment *segment = crew->context.shared.segment;

	for (unsigned i = 0; i < crew->count; i++) {
		struct child *child = &crew->children[i];

		if (!child->is_wanted && child->state == CHILD_EMPTY)
			return segment_reserve_worker(segment, child->slot) == 0 ? child : NULL;
	}
	return NULL;
}

static void
count(const struct crew *crew)
{
	struct segment *segment = crew->context.shared.segment;

	counters_add(
	    &segment_counters(segment, segment_supervisor_slot(segment))->workers_relieved, 1);
}

void
relief_consider(struct relief *relief, struct crew *crew, struct child *child, uint64_t own_bytes,
    uint64_t limit)
{
	if (limit == 0 || own_bytes <= limit || relief->fat != NULL || crew->context.stopping ||
	    child->state != CHILD_SERVING || clock_mono_ms() < child->ready_ms + INFANCY_MS)
		return;
	relief->fat = child;
	relief->spare = find_spare(crew);
	log_warning("%s (pid %d) has %" PRIu64
		    " bytes of memory of its own, more than worker_max_rss "
		    "(%" PRIu64 "): it retires, %s",
	    child->name, child->pid, own_bytes, limit,
	    relief->spare != NULL ? "when another one serves" : "and is started anew then");
	count(crew);
	if (relief->spare != NULL)
		child_want(relief->spare);
}

void
relief_tick(struct relief *relief, struct crew *crew, uint32_t drain_timeout_ms)
{
	struct child *fat = relief->fat, *spare = relief->spare;

	if (fat == NULL)
		return;
	/* It may have died meanwhile, or a reload have let one of them retire: then it is over. */
	if (crew->context.stopping || fat->state != CHILD_SERVING ||
	    (spare != NULL && !spare->is_wanted)) {
		*relief = (struct relief){ 0 };
		crew_resize(crew, crew->wanted, drain_timeout_ms);
		return;
	}
	if (spare != NULL && spare->state != CHILD_SERVING)
		return;
	child_retire(fat, drain_timeout_ms);
	if (spare == NULL)
		child_want(fat);
	*relief = (struct relief){ 0 };
}
