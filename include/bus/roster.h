/*
 * Who runs: one line of shared memory for each slot, and one for the gateway as a whole.
 *
 * The supervisor writes all of it but the heartbeat, which the child stamps, and the state, which
 * the child moves from STARTING to SERVING and DRAINING. Anybody reads. Each word is whole; a
 * line read while it changes may mix old and new words, which status output bears.
 *
 * A slot out of range is ignored by the setters and reads as empty.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/macros.h"

enum roster_state {
	ROSTER_EMPTY,	 /* nothing runs here */
	ROSTER_STARTING, /* forked, not yet ready */
	ROSTER_SERVING,
	ROSTER_DRAINING, /* accepts nothing more, ends when its work is done */
	ROSTER_DEAD,	 /* ended; to be started again */
};

struct roster_shared;
struct roster; /* a process's view of it; owned by the segment */

/* One slot as it was read. */
struct roster_entry {
	pid_t pid;
	enum roster_state state;
	uint32_t generation; /* counts the processes that ran in this slot: 1, 2, 3... */
	uint32_t restarts;
	uint64_t started_real_ms;   /* CLOCK_REALTIME */
	uint64_t heartbeat_mono_ms; /* CLOCK_MONOTONIC */
	uint64_t rss_bytes;
	uint64_t own_bytes; /* of these, with neither a file nor shared memory behind them */
	uint64_t open_fds;
};

/* What /proc says of a process. */
struct roster_usage {
	uint64_t rss_bytes, own_bytes, open_fds;
};

/* The gateway as it was read. */
struct roster_gateway {
	pid_t supervisor_pid;
	uint32_t workers; /* as configured */
	uint64_t started_real_ms;
	uint64_t restarts; /* of all children together */
	bool stopping;
};

/* For bus/segment alone: a view of `shared` with `slots` lines, NULL when out of memory. */
struct roster *roster_new(struct roster_shared *shared, unsigned slots);
void roster_free(struct roster *roster);
/* For bus/segment alone: empties all lines. */
void roster_format(struct roster *roster);

/* The supervisor's: itself, and the number of workers configured; also after a reload. */
void roster_set_gateway(
    struct roster *roster, pid_t supervisor_pid, uint64_t started_real_ms, uint32_t workers);
/* The supervisor's: the gateway stops. */
void roster_set_stopping(struct roster *roster);

/*
 * The supervisor's, around the fork: a process begins in `slot`. State becomes STARTING, the
 * heartbeat `now_mono_ms`, the generation one more than that of its predecessor, which is
 * returned (0: no such slot). `pid` may be 0 and be set when fork has returned it.
 */
uint32_t roster_start(
    struct roster *roster, unsigned slot, pid_t pid, uint64_t now_real_ms, uint64_t now_mono_ms);
/* The supervisor's: the pid, known only after the fork. */
void roster_set_pid(struct roster *roster, unsigned slot, pid_t pid);
/*
 * The supervisor's: the process of `slot` is gone; state DEAD (it will be restarted, counted) or
 * EMPTY.
 */
void roster_end(struct roster *roster, unsigned slot, bool will_restart);
/* The supervisor's: what /proc says. */
void roster_set_usage(struct roster *roster, unsigned slot, const struct roster_usage *usage);

/* The child's: where it stands. */
void roster_set_state(struct roster *roster, unsigned slot, enum roster_state state);
/* The child's: its event loop turns. */
void roster_beat(struct roster *roster, unsigned slot, uint64_t now_mono_ms);

/* Reads one slot. */
void roster_get(const struct roster *roster, unsigned slot, struct roster_entry *ret);
/* Reads what concerns all. */
void roster_get_gateway(const struct roster *roster, struct roster_gateway *ret);
/* The generation of `slot` as it is now: answers owed by an older one will not come. */
uint32_t roster_generation(const struct roster *roster, unsigned slot);
/* How many slots there are. */
unsigned roster_slots(const struct roster *roster);
/* "empty", "starting", "serving", "draining", "dead"; "unknown" for anything else. */
const char *roster_state_name(enum roster_state state);
