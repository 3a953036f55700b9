/*
 * Why this file exists: a process can be alive and useless. Its heartbeat, stamped by its event
 * loop into the roster, tells; and a lock that is held for a second tells even faster, since then
 * all others suffer.
 *
 * When the whole machine stood still (suspended, frozen, starved) so did the supervisor: what was
 * not beaten in that time is nobody's fault, and the children get their full time again.
 */
#include "supervisor/watch.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "bus/counters.h"
#include "bus/roster.h"
#include "bus/segment.h"
#include "conf/data.h"
#include "supervisor/crew.h"
#include "supervisor/service.h"
#include "sys/process.h"
#include "sys/tickets.h"

enum {
	TICK_MS = 200,
	LATE_MS = 1000, /* a tick that late means that we stood still ourselves */
	SAMPLE_MS = 5000,
	LOCK_LIMIT_MS = 1000,
};

static struct segment *
segment_of(const struct watch *watch)
{
	return watch->crew->context.shared.segment;
}

static void
check_heartbeat(const struct watch *watch, const struct child *child, uint64_t now_ms)
{
	struct roster_entry entry;
	char reason[64];
	uint64_t since_ms;

	if (child->pid == 0)
		return;
	roster_get(segment_roster(segment_of(watch)), child->slot, &entry);
	since_ms = max_u64(entry.heartbeat_mono_ms, watch->excused_ms);
	if (now_ms <= since_ms || now_ms - since_ms <= child->kind->stands_still_ms)
		return;
	(void)snprintf(reason, sizeof(reason), "has stood still for %llu ms",
	    (unsigned long long)(now_ms - since_ms));
	child_kill(child, reason);
}

static void
check_locks(const struct watch *watch)
{
	pid_t holder = segment_stuck_holder(segment_of(watch), LOCK_LIMIT_MS);
	const struct child *child = holder != 0 ? crew_find(watch->crew, holder) : NULL;

	/* Only a child is ours to kill; whatever else the number names, we do not touch it. */
	if (child != NULL)
		child_kill(child, "stands still with a lock of the shared segment");
}

/* False: there is no such process any more, or /proc cannot be read. */
static bool
sample(struct roster *roster, unsigned slot, pid_t pid, struct roster_usage *ret)
{
	if (pid == 0 || process_rss_bytes(pid, &ret->rss_bytes) < 0 ||
	    process_own_bytes(pid, &ret->own_bytes) < 0 ||
	    process_open_fds(pid, &ret->open_fds) < 0)
		return false;
	roster_set_usage(roster, slot, ret);
	return true;
}

static void
sample_all(struct watch *watch, uint64_t now_ms)
{
	const struct conf_gateway *conf = &watch->crew->context.shared.conf->gateway;
	struct roster *roster = segment_roster(segment_of(watch));
	struct roster_usage usage;

	if (now_ms < watch->sample_ms)
		return;
	watch->sample_ms = now_ms + SAMPLE_MS;
	(void)sample(roster, segment_supervisor_slot(segment_of(watch)), getpid(), &usage);
	for (unsigned i = 0; i < watch->crew->count; i++) {
		struct child *child = &watch->crew->children[i];

		/* What of its memory is its own decides whether it may stay. */
		if (sample(roster, child->slot, child->pid, &usage))
			relief_consider(&watch->relief, watch->crew, child, usage.own_bytes,
			    conf->worker_max_rss);
	}
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct watch *watch = arg;
	unsigned own_slot = segment_supervisor_slot(segment_of(watch));
	struct counters *own = segment_counters(segment_of(watch), own_slot);
	uint64_t now_ms = clock_mono_ms();

	(void)fd;
	(void)what;
	if (now_ms - watch->ticked_ms > LATE_MS)
		watch->excused_ms = now_ms;
	watch->ticked_ms = now_ms;
	roster_beat(segment_roster(segment_of(watch)), own_slot, now_ms);
	counters_add(&own->log_lines_lost, log_take_lost());
	for (unsigned i = 0; i < watch->crew->count; i++)
		check_heartbeat(watch, &watch->crew->children[i], now_ms);
	check_locks(watch);
	/* Every process does so for itself. */
	if (tickets_advance(watch->crew->context.shared.tickets, now_ms) < 0)
		log_warning("keys of TLS sessions could not be changed: out of memory");
	sample_all(watch, now_ms);
	service_tick(watch->service, watch->crew, now_ms);
	relief_tick(&watch->relief, watch->crew,
	    watch->crew->context.shared.conf->gateway.drain_timeout_ms);
}

int
watch_start(
    struct watch *watch, struct event_base *base, struct crew *crew, struct service *service)
{
	const struct timeval tick = { .tv_usec = TICK_MS * 1000 };

	memset(watch, 0, sizeof(*watch));
	watch->ticked_ms = clock_mono_ms();
	if (event_assign(&watch->timer, base, -1, EV_PERSIST, on_tick, watch) < 0 ||
	    event_add(&watch->timer, &tick) < 0)
		return -ENOMEM;
	watch->crew = crew;
	watch->service = service;
	return 0;
}

void
watch_stop(struct watch *watch)
{
	if (watch->crew != NULL)
		(void)event_del(&watch->timer);
	watch->crew = NULL;
}
