/*
 * All that the function of a verb is given: what was typed, and what main brought along.
 */
#pragma once

#include <stddef.h>

struct arguments;
struct proctitle;
struct supervisor_program;
struct verb;

struct invocation {
	const struct arguments *arguments;
	const struct supervisor_program *program; /* what `gateway start` runs */
	struct proctitle *title;		  /* NULL: titles are not shown */
	const struct verb *verbs;		  /* all that there are, cli/verbs.h */
	size_t verb_count;
};
