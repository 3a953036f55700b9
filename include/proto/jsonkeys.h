/*
 * Finds keys of one object that come twice.
 *
 * A frame has a handful of keys: those are compared pairwise as they come. Where there are more, or
 * some with escapes in them, all are gathered at the end and sorted in one go, which no choice of
 * keys can make quadratic. Inside proto only.
 */
#pragma once

#include <stdbool.h>

#include "base/macros.h"
#include "base/span.h"

enum {
	JSONKEYS_FEW = 12, /* keys that are compared pairwise */
};

/* The keys met so far. All zero begins one. */
struct jsonkeys {
	unsigned count;	   /* of seen */
	bool is_undecided; /* there were keys that pairwise comparison leaves out */
	struct span seen[JSONKEYS_FEW];
};

/*
 * Notes a key, given without quotes. Returns true when it is equal to one that was noted. A false is
 * final unless keys->is_undecided: then jsonkeys_find_duplicate decides.
 */
bool jsonkeys_add(struct jsonkeys *keys, struct span key);

/*
 * Looks for equal keys in the top object of a text that was proved valid and has at most
 * JSON_KEYS_MAX keys. Returns true and in *ret the second of the first pair of equal ones, by their
 * place in the text. Uses some 24 KiB of stack.
 */
bool jsonkeys_find_duplicate(struct span object_text, struct span *ret) must_check;
