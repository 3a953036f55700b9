/*
 * A row of the table of verbs (cli/verbs.h), for those whom the table itself names.
 */
#pragma once

#include "cli/arguments.h"
#include "cli/status.h"

struct invocation;

struct verb {
	const char *path;     /* the words, one space between them: "gateway config show" */
	const char *help;     /* one line, without a full stop */
	const char *about;    /* what else --help tells, whole lines; NULL: nothing */
	struct syntax syntax; /* --help is taken by all, whatever stands here */
	enum cli_status (*run)(const struct invocation *);
};
