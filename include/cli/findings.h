/*
 * What an examination found, written as it is found: lines for people, or one JSON object.
 *
 *	error    port           Connection refused: ws://127.0.0.1:18789
 *	                        -> start it: lurkbot daemon start
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/jsonw.h"
#include "base/macros.h"
#include "cli/status.h"

enum finding { FINDING_OK, FINDING_WARNING, FINDING_ERROR };

struct findings {
	struct buf text;
	struct jsonw json;
	bool as_json;
	unsigned warnings, errors;
};

/* Begins; to be ended by findings_print. */
void findings_init(struct findings *, bool as_json);

/*
 * Adds one: which check it is (a word or two), what was found, and what to do about it (NULL:
 * nothing). What a log, a file or another program said is made fit for a terminal here.
 */
void findings_add(struct findings *, enum finding, const char *check, const char *advice,
    const char *fmt, ...) printf_like(5, 6);

/* Prints all and frees it. CLI_OK, also with warnings; CLI_FAILED when there was an error. */
enum cli_status findings_print(struct findings *) must_check;
