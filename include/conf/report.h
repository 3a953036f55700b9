/*
 * What is wrong with a configuration, all of it: one line for each error, so that a person mends
 * everything in one go. Each begins with the place, as compilers write it:
 *
 *	/etc/lurkbot/config.json:7: gateway.port: must be an integer from 0 to 65535, not 99999
 *	LURKBOT_GATEWAY__PROT: gateway.prot: unknown setting; did you mean LURKBOT_GATEWAY__PORT?
 *	--workers: gateway.workers: must be an integer from 0 to 256, not "two"
 *
 * What others wrote is quoted, cut and escaped, so that a line stays a line.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/span.h"

enum { CONF_REPORT_LINES_MAX = 1000 }; /* further errors are counted, not written */

/* Zero-initialised is valid and empty. */
struct conf_report {
	struct buf text; /* the lines, each with its newline; ready to be printed */
	size_t count;	 /* errors found, those past the limit included */
};

/* Frees the lines; the report is empty then. */
void conf_report_fini(struct conf_report *);

/*
 * Adds the line "PLACE: KEY: message"; without a key (NULL) "PLACE: message". Both are escaped,
 * the key cut after 120 bytes; control characters in the message are escaped. Without memory the
 * buffer fails, which sticks.
 */
void conf_report_add(struct conf_report *, const char *place, const char *key, const char *fmt, ...)
    printf_like(4, 5);

/*
 * Appends text that others wrote, fit for a message: in double quotes, control characters and bytes
 * that are not UTF-8 escaped or replaced, cut after 60 bytes with "...".
 */
void conf_report_quote(struct buf *out, struct span);

/*
 * Walks through the lines: gives the next one without its newline, valid until the report changes.
 * The cursor starts at 0. False: there are no more.
 */
bool conf_report_next(const struct conf_report *, size_t *cursor, struct span *ret_line);
