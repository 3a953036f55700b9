/*
 * Who runs: whole words in shared memory, each with one writer at a time.
 *
 * Nothing here orders anything: a reader that must know whether a slot's process changed compares
 * generations, which are stored with release and loaded with acquire.
 */
#include "bus/roster.h"

#include <string.h>

#include "base/alloc.h"
#include "bus/layout.h"

struct roster {
	struct roster_shared *shared;
	unsigned slots;
};

#define LOAD(word)	   atomic_load_explicit(word, memory_order_relaxed)
#define STORE(word, value) atomic_store_explicit(word, value, memory_order_relaxed)

struct roster *
roster_new(struct roster_shared *shared, unsigned slots)
{
	struct roster *roster = mem_zalloc(sizeof(*roster));

	if (roster == NULL)
		return NULL;
	roster->shared = shared;
	roster->slots = slots;
	return roster;
}

void
roster_free(struct roster *roster)
{
	mem_free(roster);
}

void
roster_format(struct roster *roster)
{
	memset(roster->shared, 0,
	    sizeof(*roster->shared) + roster->slots * sizeof(roster->shared->lines[0]));
}

/* The line of a slot, NULL when there is none. */
static struct roster_line *
line_of(const struct roster *roster, unsigned slot)
{
	return slot < roster->slots ? &roster->shared->lines[slot] : NULL;
}

void
roster_set_gateway(
    struct roster *roster, pid_t supervisor_pid, uint64_t started_real_ms, uint32_t workers)
{
	STORE(&roster->shared->supervisor_pid, supervisor_pid);
	STORE(&roster->shared->started_real_ms, started_real_ms);
	STORE(&roster->shared->workers, workers);
}

void
roster_set_stopping(struct roster *roster)
{
	STORE(&roster->shared->stopping, 1);
}

uint32_t
roster_start(
    struct roster *roster, unsigned slot, pid_t pid, uint64_t now_real_ms, uint64_t now_mono_ms)
{
	struct roster_line *line = line_of(roster, slot);
	uint32_t generation;

	if (line == NULL)
		return 0;
	generation = LOAD(&line->generation) + 1;
	if (generation == 0)
		generation = 1;
	STORE(&line->pid, pid);
	STORE(&line->state, ROSTER_STARTING);
	STORE(&line->started_real_ms, now_real_ms);
	STORE(&line->heartbeat_mono_ms, now_mono_ms);
	STORE(&line->rss_bytes, 0);
	STORE(&line->own_bytes, 0);
	STORE(&line->open_fds, 0);
	atomic_store_explicit(&line->generation, generation, memory_order_release);
	return generation;
}

void
roster_set_pid(struct roster *roster, unsigned slot, pid_t pid)
{
	struct roster_line *line = line_of(roster, slot);

	if (line != NULL)
		STORE(&line->pid, pid);
}

void
roster_end(struct roster *roster, unsigned slot, bool will_restart)
{
	struct roster_line *line = line_of(roster, slot);

	if (line == NULL)
		return;
	STORE(&line->pid, 0);
	STORE(&line->state, will_restart ? ROSTER_DEAD : ROSTER_EMPTY);
	STORE(&line->rss_bytes, 0);
	STORE(&line->own_bytes, 0);
	STORE(&line->open_fds, 0);
	if (!will_restart)
		return;
	STORE(&line->restarts, LOAD(&line->restarts) + 1);
	STORE(&roster->shared->restarts, LOAD(&roster->shared->restarts) + 1);
}

void
roster_set_usage(struct roster *roster, unsigned slot, const struct roster_usage *usage)
{
	struct roster_line *line = line_of(roster, slot);

	if (line == NULL)
		return;
	STORE(&line->rss_bytes, usage->rss_bytes);
	STORE(&line->own_bytes, usage->own_bytes);
	STORE(&line->open_fds, usage->open_fds);
}

void
roster_set_state(struct roster *roster, unsigned slot, enum roster_state state)
{
	struct roster_line *line = line_of(roster, slot);

	if (line != NULL)
		STORE(&line->state, state);
}

void
roster_beat(struct roster *roster, unsigned slot, uint64_t now_mono_ms)
{
	struct roster_line *line = line_of(roster, slot);

	if (line != NULL)
		STORE(&line->heartbeat_mono_ms, now_mono_ms);
}

void
roster_get(const struct roster *roster, unsigned slot, struct roster_entry *ret)
{
	struct roster_line *line = line_of(roster, slot);

	memset(ret, 0, sizeof(*ret));
	if (line == NULL)
		return;
	ret->pid = LOAD(&line->pid);
	ret->state = (enum roster_state)LOAD(&line->state);
	ret->generation = LOAD(&line->generation);
	ret->restarts = LOAD(&line->restarts);
	ret->started_real_ms = LOAD(&line->started_real_ms);
	ret->heartbeat_mono_ms = LOAD(&line->heartbeat_mono_ms);
	ret->rss_bytes = LOAD(&line->rss_bytes);
	ret->own_bytes = LOAD(&line->own_bytes);
	ret->open_fds = LOAD(&line->open_fds);
}

void
roster_get_gateway(const struct roster *roster, struct roster_gateway *ret)
{
	struct roster_shared *shared = roster->shared;

	ret->supervisor_pid = LOAD(&shared->supervisor_pid);
	ret->workers = LOAD(&shared->workers);
	ret->started_real_ms = LOAD(&shared->started_real_ms);
	ret->restarts = LOAD(&shared->restarts);
	ret->stopping = LOAD(&shared->stopping) != 0;
}

uint32_t
roster_generation(const struct roster *roster, unsigned slot)
{
	struct roster_line *line = line_of(roster, slot);

	if (line == NULL)
		return 0;
	return atomic_load_explicit(&line->generation, memory_order_acquire);
}

unsigned
roster_slots(const struct roster *roster)
{
	return roster->slots;
}

const char *
roster_state_name(enum roster_state state)
{
	switch (state) {
	case ROSTER_EMPTY:
		return "empty";
	case ROSTER_STARTING:
		return "starting";
	case ROSTER_SERVING:
		return "serving";
	case ROSTER_DRAINING:
		return "draining";
	case ROSTER_DEAD:
		return "dead";
	}
	return "unknown";
}
