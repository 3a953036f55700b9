/*
 * UTF-8 validation (RFC 3629), in one piece or as the bytes arrive.
 *
 * RFC 6455 section 8.1 wants a text message refused for its first bad byte. So the state below
 * survives any cut between two bytes, and an over-long form, a surrogate or a code point past
 * U+10FFFF is refused at the first byte that makes it certain, not at the end of the sequence.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* What is still to come of the sequence that the last feed ended in. Zero: between characters. */
struct utf8 {
	uint8_t missing;   /* continuation bytes still to come */
	uint8_t low, high; /* bounds of the next one, inclusive; meaningless when missing is 0 */
};

/* Begins a new text. A zeroed struct has begun one already. */
void utf8_init(struct utf8 *utf8);

/*
 * Takes the next len bytes of the text. data may be NULL when len is 0. Returns true while all
 * bytes so far can begin valid UTF-8; false at the first byte that can not go on. After false the
 * state is undefined: call utf8_init before using it again.
 */
bool utf8_feed(struct utf8 *utf8, const void *data, size_t len);

/* Whether what was fed so far ends between two characters, so that the text may end here. */
bool utf8_is_complete(const struct utf8 *utf8);

/* Whether the whole of text is valid UTF-8. The empty text is. */
bool utf8_is_valid(struct span text);
