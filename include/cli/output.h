/*
 * Printing, as all verbs do it: what was asked for on standard output, what went wrong on standard
 * error.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/span.h"
#include "cli/status.h"

/*
 * Prints the line "lurkbot: ..." on standard error; where that is the journal the line says that it is an
 * error.
 */
void output_error(const char *fmt, ...) printf_like(1, 2);

/* The same with a line that needs no name before it, given without its newline. */
void output_line(struct span line);

/* Prints the text on standard output and frees it. CLI_OK; CLI_FAILED without memory. */
enum cli_status output_take(struct buf *text);

/* Prints JSON on standard output: in one line, or indented for people. As output_take. */
enum cli_status output_json(struct span json, bool one_line);

enum { OUTPUT_DURATION_MAX = 32, OUTPUT_TIME_MAX = 32 };

/* Writes a duration as people say it: 45s, 12m 3s, 2h 15m, 3d 4h. */
void output_duration(uint64_t ms, char ret[OUTPUT_DURATION_MAX]);

/* Writes a time, in milliseconds since 1970, as 2026-11-22T21:06:25.123Z. */
void output_time(uint64_t at_ms, char ret[OUTPUT_TIME_MAX]);
