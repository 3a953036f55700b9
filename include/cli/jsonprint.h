/*
 * JSON text laid out anew for people and for line-based tools. Only the white space between tokens
 * changes: numbers, escapes, the order of keys and repeated keys stay as the peer wrote them. Text
 * from others can hold what a terminal would obey; that is escaped.
 */
#pragma once

#include "base/buf.h"
#include "base/span.h"

/* Appends valid JSON text with two spaces of indentation for each level, and a newline. */
void jsonprint_indented(struct buf *out, struct span json);

/* Appends valid JSON text in one line, without white space between tokens and without a newline. */
void jsonprint_compact(struct buf *out, struct span json);

/*
 * Appends text from others, fit for a line of a terminal: control characters become escapes as in
 * JSON, and bytes that are not UTF-8 U+FFFD; all else stays as it is.
 */
void jsonprint_plain(struct buf *out, struct span text);
