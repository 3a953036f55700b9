/* All children of the supervisor: a table of rows, and what is asked or done of all at once. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "supervisor/child.h"

struct conf;
struct proctitle;
struct resources;

struct crew {
	struct child_context context;
	struct child_kind worker; /* the kinds; one so far */
	struct child *children;	  /* a row for each slot that there is */
	unsigned count;
	unsigned wanted; /* so many rows are to have a process: the first ones, but for reliefs */
};

/*
 * Makes empty rows for all workers that the segment has room for, which run WORKER_MAIN;
 * RESOURCES->workers of them are wanted. TITLE may be NULL.
 * ON_CHANGE is called with ARG from the event loop when a child became ready or ended; it may act
 * on the crew, but not end it.
 * Returns 0 or -ENOMEM. The crew must not be moved afterwards.
 */
int crew_init(struct crew *crew, struct event_base *base, struct resources *resources,
    int (*worker_main)(const struct inherit *inherit), struct proctitle *title) must_check;

/* Who is told of changes and of messages; to be set before crew_start. */
void crew_set_listener(struct crew *crew, void (*on_change)(void *arg),
    void (*on_message)(const struct child *child, const struct control_message *message, void *arg),
    void *arg);

/* Children that are started from now on inherit this configuration. */
void crew_set_conf(struct crew *crew, const struct conf *conf);

/* The log goes to this descriptor, which all children are handed, and those that come. */
void crew_set_log(struct crew *crew, int log_fd);

/* So many are wanted from now on: starts more, or lets the surplus ones retire. */
void crew_resize(struct crew *crew, unsigned wanted, uint32_t retire_timeout_ms);

/* Frees the rows; all processes must have been reaped. Harmless for a zeroed struct. */
void crew_fini(struct crew *crew);

/* Starts all that are wanted. */
void crew_start(struct crew *crew);

/* Takes note of all processes that ended: after SIGCHLD. */
void crew_reap(struct crew *crew);

/* Asks all to drain, and restarts none from now on. */
void crew_drain(struct crew *crew, uint32_t timeout_ms);

/* Kills all, and restarts none from now on. */
void crew_kill(struct crew *crew);

/* How many processes there are. */
unsigned crew_running(const struct crew *crew);

/* Whether all are ready at this moment. */
bool crew_is_serving(const struct crew *crew);

/* Whether one refused the configuration, and whether all did. */
bool crew_has_refused(const struct crew *crew);
bool crew_have_all_refused(const struct crew *crew);

/* How often the least lucky one died before it was ready. */
unsigned crew_early_deaths(const struct crew *crew);

/* The row of a process, or NULL. */
struct child *crew_find(const struct crew *crew, pid_t pid);
