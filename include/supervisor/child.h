/*
 * One row of the supervisor's table: a place where a process of a certain kind is kept running.
 *
 *	        child_start                READY
 *	 EMPTY ────────────▶ STARTING ────────────▶ SERVING
 *	   ▲                    │                      │ ended
 *	   │ waited long enough ▼                      ▼
 *	   └──────────────── WAITING ◀─────────────────┤ restarted, at once or later (supervisor/backoff.h)
 *	                                               ├──▶ REFUSED  exit status 2: not tried again
 *	                                               ├──▶ ENDED    the gateway stops
 *	                                               └──▶ EMPTY    fewer are wanted: by way of RETIRING
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/macros.h"
#include "supervisor/backoff.h"
#include "base/span.h"
#include "sys/control.h"
#include "sys/inherit.h"

struct child;
struct proctitle;

/* What the processes of one kind have in common: a row of a table. */
struct child_kind {
	const char *name;
	int (*main)(const struct inherit *inherit);
	uint64_t stands_still_ms; /* a heartbeat older than this: killed */
};

/* What all rows share; outlives them. */
struct child_context {
	struct event_base *base;
	struct inherit shared; /* all but what belongs to one child */
	struct proctitle *title;
	bool stopping; /* nothing is restarted any more */
	/* Called when a child became ready or ended, never from inside child_start. */
	void (*on_change)(void *arg);
	/* Called with each message but CONTROL_READY. */
	void (*on_message)(
	    const struct child *child, const struct control_message *message, void *arg);
	void *arg;
};

enum child_state {
	CHILD_EMPTY,
	CHILD_STARTING,
	CHILD_SERVING,
	CHILD_RETIRING, /* told to go, and has not ended yet */
	CHILD_WAITING,
	CHILD_REFUSED,
	CHILD_ENDED,
};

struct child {
	struct child_context *context;
	const struct child_kind *kind;
	enum child_state state;
	bool is_wanted; /* somebody is to live here */
	unsigned slot;
	char name[32];	/* "worker 0" */
	pid_t pid;	/* 0: no process */
	int control_fd; /* -1: no process, or it closed its end */
	uint32_t starts;
	uint32_t early_deaths; /* before READY */
	uint64_t started_ms, ready_ms;
	struct backoff backoff;
	struct event control_event, timer;
};

/* Makes an empty row. NUMBER is for the name. Returns 0 or -ENOMEM. */
int child_init(struct child *child, struct child_context *context, const struct child_kind *kind,
    unsigned slot, unsigned number) must_check;

/* Forgets the row; its process must have been reaped. */
void child_fini(struct child *child);

/* Starts its process. When that fails it counts as an early death, and is tried again later. */
void child_start(struct child *child);

/* Its process was reaped with STATUS as waitpid gives it: cleans up after it, and restarts it. */
void child_ended(struct child *child, int status);

/* From now on somebody is to live here: starts it, or once the one that retires has ended. */
void child_want(struct child *child);

/*
 * Nobody is to live here any more: its process is told to retire, and killed when it has not ended in
 * timeout_ms and a little more.
 */
void child_retire(struct child *child, uint32_t timeout_ms);

/* Hands its process the configuration of this reload; one that cannot be handed it is killed. */
void child_configure(const struct child *child, uint64_t number, int config_fd);

/* Hands its process another log file; one that cannot be handed it is killed. */
void child_change_log(const struct child *child, int log_fd);

/* Answers its process how a reload went; one that cannot be answered is killed. */
void child_answer(
    const struct child *child, uint64_t ticket, enum control_verdict verdict, struct span text);

/* Asks its process to drain; one that cannot be asked is killed. */
void child_drain(struct child *child, uint32_t timeout_ms);

/* Kills its process for the reason, which is logged; NULL: nothing is said. */
void child_kill(const struct child *child, const char *reason);
