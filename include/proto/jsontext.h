/*
 * The value of a JSON string, piece by piece: runs of its own bytes, and decoded escapes between.
 *
 * Decoding, measuring and comparing strings are all one walk over these pieces. The text was proved
 * valid before (proto/jsonscan.h); it is what stands between the quotes. Inside proto only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/span.h"

/* has_lone becomes true when a lone surrogate was met; its piece is then its three bytes. */
struct jsontext {
	const char *p, *end;
	bool has_lone;
	char decoded[4];
};

/* Begins at the first byte of text, which has no quotes around it. */
void jsontext_init(struct jsontext *walk, struct span text);

/*
 * Takes the next piece, never empty; it lives until the next call. Returns false at the end. A
 * surrogate pair is one piece; a lone surrogate is a piece of the three bytes that UTF-8 would have
 * for it, so that different strings stay different.
 */
bool jsontext_next(struct jsontext *walk, struct span *ret_piece);

/*
 * Orders two texts by their decoded bytes: negative, 0 when they mean the same string, positive.
 */
int jsontext_compare(struct span a, struct span b);

/* True when the text means this plain string. */
bool jsontext_is(struct span text, const char *plain);
