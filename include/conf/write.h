/*
 * Prints the configuration in force as JSON, for `config show` and the method config.get.
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"
#include "conf/data.h"

/*
 * Appends, indented by two spaces and with a newline at the end, for people:
 *
 *	{"gateway": {"host": ..., ...}}
 *
 * which is itself a configuration file that gives the same settings; with sources
 *
 *	{"home": ..., "files": [...], "config": {"gateway": {...}},
 *	 "sources": {"gateway.host": "built-in", ...}, "changedBy": {"gateway.host": "restart", ...}}
 *
 * A source is "built-in", FILE:LINE, the name of a variable or a flag. Secrets are "***". Without memory the buffer
 * fails, which sticks.
 */
void conf_write(const struct conf *, struct buf *out, bool with_sources);

/* The same in one line, without spaces and newline: for a frame. */
void conf_write_compact(const struct conf *, struct buf *out, bool with_sources);

/*
 * Appends config, sources and changedBy of what the path names, a key ("gateway.port") or a section
 * ("gateway"), in one line. False: it names nothing, and nothing was appended.
 */
bool conf_write_part(const struct conf *, struct span path, struct buf *out);
