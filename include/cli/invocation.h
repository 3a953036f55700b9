/*
 * All that the function of a verb is given: what was typed, and what main brought along.
 */
#pragma once

struct arguments;
struct proctitle;
struct supervisor_program;

struct invocation {
	const struct arguments *arguments;
	const struct supervisor_program *program; /* what `gateway start` runs */
	struct proctitle *title;		  /* NULL: titles are not shown */
};
