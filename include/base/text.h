/*
 * Reading UTF-8 character by character where it may be broken: for writing it into JSON and into
 * the log, and for cutting it. There is one table of what is well-formed here (Unicode 3.9, table
 * 3-7), and one escape of JSON strings for all who write JSON.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

enum { TEXT_JSON_PIECE_MAX = 6 }; /* bytes of the longest escape, \u001f */

/*
 * The length of the first character of a text that is not empty, 1 to 4, and whether it is valid.
 * When it is not, the length is that of the maximal part that could have begun a character, at
 * least 1: what one U+FFFD stands for.
 */
size_t text_character(struct span, bool *ret_valid);

/*
 * How many bytes at the beginning stand for themselves in a JSON string: valid UTF-8 without
 * quote, backslash and control characters.
 */
size_t text_json_plain(struct span);

/*
 * Writes how the first character of a text that is not empty stands in a JSON string, and takes it
 * off the text. Returns the number of bytes written. Invalid UTF-8 becomes U+FFFD.
 */
size_t text_json_piece(struct span *text, char out[TEXT_JSON_PIECE_MAX]);

/* The longest beginning of at most max_bytes that does not end inside a character. */
struct span text_cut(struct span, size_t max_bytes);
