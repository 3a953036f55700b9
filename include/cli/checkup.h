/*
 * All that `lurkbot daemon diagnose` looks at, gathered once, before anything is judged.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/macros.h"
#include "cli/manager.h"
#include "cli/service.h"
#include "cli/status.h"

struct conf;

struct checkup {
	struct service service;
	struct service_start start;
	struct conf *conf;	    /* as the service starts with; NULL: not valid */
	struct buf fault;	    /* the first thing that is wrong with it */
	size_t fault_count;	    /* how many there are */
	struct manager_state state; /* zeroed without a manager */
	pid_t pid;		    /* of the gateway that runs; 0: none */
	bool is_held; /* by a process that cannot be told: what a dead one left behind */
};

/* Gathers. CLI_OK, or an exit status whose reason was printed; to be closed in any case. */
enum cli_status checkup_open(struct checkup *ret, const struct invocation *) must_check;

/* Frees what it holds. */
void checkup_close(struct checkup *);

/* The address that the running gateway wrote down, as ws://HOST:PORT; "" when there is none. */
void checkup_address(const struct checkup *, char *ret, size_t size);
