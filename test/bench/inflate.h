/*
 * permessage-deflate on the client's side (RFC 7692), without context takeover. A server that
 * compresses an event once sends the same bytes to many: they are inflated once and then compared.
 */
#pragma once

#include <stdint.h>

#include "base/span.h"

struct inflater;

/* Begins; out of memory ends the program. */
struct inflater *inflater_new(void);

/* NULL is allowed. */
void inflater_free(struct inflater *inflater);

/*
 * The message that `compressed` holds, valid until the next call; the same `key` says that the bytes
 * may be those of an earlier call. Bytes that are no such message end the program.
 */
struct span inflater_message(struct inflater *inflater, uint64_t key, struct span compressed);
