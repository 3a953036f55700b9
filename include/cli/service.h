/*
 * The gateway as a service of the user: the unit that is installed, who drives it, and the
 * configuration that it starts with. Where no user manager of systemd can be reached the unit still
 * keeps the options, and the gateway is a daemon of its own.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/macros.h"
#include "cli/arguments.h"
#include "cli/invocation.h"
#include "cli/status.h"
#include "cli/unit.h"

struct service {
	char *path;	   /* of the unit file, whether it is there or not */
	char *home;	   /* of the gateway: the unit's, else the usual one */
	bool is_installed; /* the file is there */
	bool is_ours;	   /* `daemon install` wrote it */
	int fault;	   /* 0, or why the file cannot be used, as unit_read or open(2) said */
	struct unit unit;  /* empty when not installed, or at fault */
	bool has_manager;
	struct buf why_not; /* why there is no manager */
};

/*
 * Looks at all of it. With adopts the unit's LURKBOT_HOME and LURKBOT_WORKSPACE become this
 * process's, so that whatever is done next means the installed gateway. CLI_OK, or an exit status
 * whose reason was printed. ret is to be closed in any case.
 */
enum cli_status service_open(struct service *ret, bool adopts) must_check;

/* Frees what it holds. */
void service_close(struct service *);

/* What `gateway start` would be given by the unit. */
struct service_start {
	char **argv;
	struct arguments arguments;
	struct invocation invocation;
};

/*
 * Reads the unit's options (without one: none), with --daemon before them, as those of `gateway start`.
 * brought is the verb's own invocation. 0; -EINVAL: ret_fault says what is wrong with them; -ENOMEM.
 * ret is to be freed by service_start_fini in any case.
 */
int service_start_read(struct service_start *ret, const struct unit *unit,
    const struct invocation *brought, struct buf *ret_fault) must_check;

/* Frees what it holds. */
void service_start_fini(struct service_start *);
