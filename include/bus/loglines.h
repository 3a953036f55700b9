/*
 * The last 256 KiB of the log, in shared memory: what all processes have logged, for logs.tail.
 *
 * A line stands in one cell (bus/cells.h) or in several that follow each other; the record of each:
 *
 *       0       1       2       3       4       6       8                     112
 *       +-------+-------+-------+-------+-------+-------+---------------------+
 *       | level | index | count | spare | bytes | spare | text                |
 *       +-------+-------+-------+-------+-------+-------+---------------------+
 *
 * index: which of the line's `count` cells it is, from 0. bytes: of text in this one. A line of which a cell is
 * missing is not told.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/macros.h"
#include "base/span.h"

enum { LOGLINES_BYTES = 256 * 1024 };

struct loglines; /* a process's view of it; owned by the segment */

/* A line as it was written, without its newline. */
struct logline {
	enum log_level level;
	size_t len;
	char text[LOG_LINE_MAX];
};

/* --- life: for bus/segment alone ---------------------------------------------------------- */

/* Bytes of shared memory. */
uint64_t loglines_bytes(void);
/* A view of that memory; NULL: out of memory. */
struct loglines *loglines_new(void *shared);
void loglines_free(struct loglines *lines);
void loglines_format(struct loglines *lines);

/* --- acts --------------------------------------------------------------------------------- */

/* Adds a line, without its newline; never waits. More than LOG_LINE_MAX bytes are cut. */
void loglines_add(const struct loglines *lines, enum log_level level, struct span text);

/* --- questions ---------------------------------------------------------------------------- */

/* Where the oldest line may begin, and where the one after the newest will: bounds for loglines_next. */
uint64_t loglines_oldest(const struct loglines *lines);
uint64_t loglines_end(const struct loglines *lines);

/*
 * Reads the next whole line that begins at `*cursor` or later and before `end`, and moves the cursor behind it.
 * False: there is none.
 */
bool loglines_next(
    const struct loglines *lines, uint64_t *cursor, uint64_t end, struct logline *ret) must_check;
