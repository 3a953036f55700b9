/*
 * The table of all options of the command line but the settings, which are in conf/settings.h. An
 * option stands here once; a verb says which it takes by a set of bits. Two options may share a
 * name where it means different things to different verbs, none of which takes both.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum option_id {
	OPTION_HELP,
	OPTION_JSON,
	OPTION_CONFIG,
	OPTION_DAEMON,
	OPTION_STOP_TIMEOUT,
	OPTION_URL,
	OPTION_HOST,
	OPTION_PORT,
	OPTION_TLS,
	OPTION_CACERT,
	OPTION_INSECURE,
	OPTION_TOKEN,
	OPTION_TOKEN_FILE,
	OPTION_PARAMS,
	OPTION_PAYLOAD,
	OPTION_SESSION_KEY,
	OPTION_TIMEOUT,
	OPTION_EVENTS,
	OPTION_FILTER_KEY,
	OPTION_EVENT_COUNT,
	OPTION_FOLLOW,
	OPTION_LINES,
	OPTION_LOG_FILE,
	OPTION_SOURCES,
	OPTION_TOKEN_BYTES,
	OPTION_SERVICE_PORT,
	OPTION_BIND,
	OPTION_WORKSPACE,
	OPTION_CLOSED,
	OPTION_LIMIT,
	OPTION_ID_COUNT
};

enum option_kind {
	OPTION_FLAG,   /* takes no value */
	OPTION_TEXT,   /* takes any value */
	OPTION_NUMBER, /* takes a decimal number, min..max */
};

struct cli_option {
	const char *name; /* "--params" */
	char letter;	  /* 'n' for -n; 0: none */
	enum option_kind kind;
	bool repeats;	      /* may be given several times, and all count; else the last does */
	const char *argument; /* what the help calls the value; NULL: OPTION_FLAG */
	uint64_t min, max;    /* OPTION_NUMBER: inclusive */
	const char *help;     /* one line, without a full stop */
};

/* The table; the index is the id. */
extern const struct cli_option cli_options[OPTION_ID_COUNT];

/* The bit of an option in a verb's set. */
#define OPTION_BIT(id) (UINT64_C(1) << (id))

_Static_assert(OPTION_ID_COUNT <= 64, "a set has 64 bits");
