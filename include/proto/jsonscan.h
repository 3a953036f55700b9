/*
 * The grammar of RFC 8259 as a cursor that moves over a text and never back.
 *
 * Each step proves valid what it passes, and leaves the cursor behind it. Nested containers are kept
 * on a stack of 64 bits, one for each level, so a hostile depth costs nothing. Inside proto this is
 * what json.h is made of; everybody else uses json.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/span.h"
#include "proto/jsonvalue.h"

/* begin <= p <= end. fault is NULL until a step failed; then p is where it did. */
struct jsonscan {
	const char *begin, *p, *end;
	const char *fault;
};

/* Puts the cursor at the beginning of text. */
void jsonscan_init(struct jsonscan *scan, struct span text);

/* Passes white space, of which there may be none. */
void jsonscan_space(struct jsonscan *scan);

/*
 * Passes white space and then one byte of punctuation if it is this one. Returns whether it was; a
 * different byte is no fault.
 */
bool jsonscan_punct(struct jsonscan *scan, char wanted);

/*
 * Passes one value, which must begin right here. depth is how many containers the cursor is in
 * already. Returns true and the value; or false, with the fault.
 */
bool jsonscan_value(struct jsonscan *scan, unsigned depth, struct json_value *ret) must_check;

/*
 * Passes an object's key, which must begin right here, its colon, and white space around that.
 * Returns true and the key's text without its quotes; or false, with the fault.
 */
bool jsonscan_key(struct jsonscan *scan, struct span *ret) must_check;

/*
 * Passes what follows a member or an element: a comma and the white space behind it (there must be
 * more, *ret_more is true), or the closer, '}' or ']'. Returns false, with the fault, for anything
 * else.
 */
bool jsonscan_more(struct jsonscan *scan, char closer, bool *ret_more) must_check;

/* True when only white space is left; else false, with the fault. */
bool jsonscan_finish(struct jsonscan *scan) must_check;

/* Notes a fault at the place of the cursor. Always returns false. */
bool jsonscan_fail(struct jsonscan *scan, const char *fault);
