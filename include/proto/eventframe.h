/*
 * The finished WebSocket frame of one event: built once by its publisher, outside the ring's lock,
 * and then sent by every worker as it stands. Number, time and id become known only under the
 * lock; the frame has places of exact width for them (a JSON number may have no leading zeros):
 *
 *	header │{"id":"evt_0000042a","type":"event","seq":1066,"at":1706700000000,"event":"…",
 *	  2..10        └──id───┘                  seq ┘     at ┘
 *	        "payload":…,"sessionKey":"…"}
 *
 * The header is that of a final, unmasked text frame.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/span.h"

enum { EVENTFRAME_ID_WIDTH = 8 }; /* least hexadecimal digits of an id */

struct eventframe_digits {
	uint32_t offset; /* from the frame's first byte */
	uint32_t width;	 /* digits, no more and no fewer */
};

/* Zero-initialised is valid. The buffer is used again by each build. */
struct eventframe {
	struct buf bytes;
	struct eventframe_digits id /* hexadecimal */, seq, at;
};

/*
 * Builds the frame anew in the same memory, with the expected numbers standing in their places.
 * event is a valid name; payload is valid JSON text or empty (no such member); session_key is
 * escaped here, empty: no such member. 0; -ENOMEM; -EMSGSIZE when the frame would reach 4 GiB. On
 * failure the frame is empty.
 */
int eventframe_build(struct eventframe *, uint64_t seq_expected, uint64_t at_expected_ms,
    struct span event, struct span payload, struct span session_key) must_check;

/*
 * Sets the numbers of a built frame. 0; -ERANGE when one needs more or fewer digits than its place
 * has (nothing is changed): build again.
 */
int eventframe_set(struct eventframe *, uint64_t seq, uint64_t at_ms) must_check;

/* Frees the memory; the frame is as if zero-initialised. */
void eventframe_fini(struct eventframe *);
