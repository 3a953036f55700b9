/*
 * Where things stand in a JSON text. Jansson, which judges and decodes the text, forgets the lines;
 * this walks one object or array and gives the line of each member or element, with the bytes of
 * its key and value for Jansson to decode. It relies on a text that Jansson has accepted; any other
 * gives nonsense, but is never read beyond its end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

/* A cursor inside one object or array. */
struct jsonlines {
	const char *p, *end;
	unsigned line; /* of p, the first is 1 */
	bool is_object;
};

struct jsonlines_item {
	struct span key;   /* with its quotes, not decoded; empty in an array */
	struct span value; /* all of its bytes */
	unsigned line;	   /* where the item begins: at the key, in an array at the value */
	unsigned value_line;
};

/*
 * Blanks out comments, from // to the end of the line, in place; not inside strings. Every other
 * byte stays where it is, so that lines and columns still count.
 */
void jsonlines_strip_comments(char *text, size_t n);

/*
 * Begins to walk the object or array that begins at the first byte of `container` that is no white
 * space; that first byte stands on `line`. Items point into the text.
 */
void jsonlines_open(struct jsonlines *, struct span container, unsigned line);

/* Gives the next item. False: there are no more. */
bool jsonlines_next(struct jsonlines *, struct jsonlines_item *ret);
