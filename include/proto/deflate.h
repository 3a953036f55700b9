/*
 * The payloads of permessage-deflate (RFC 7692 section 7.2), without context takeover: each message stands
 * for itself, so one codec serves all connections of a process, and none has a state of its own.
 *
 * The codec takes all its memory when it is made. Windows are of 32 KiB both ways: that of the peer may be
 * smaller, and then needs no more.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/span.h"
#include "proto/frame.h"

struct deflate;

/* A codec for any number of messages, one after the other; NULL without memory. Freed by deflate_free. */
struct deflate *deflate_new(void) must_check;
void deflate_free(struct deflate *codec);

/*
 * Appends one whole unmasked frame, as a server sends it, that holds the message compressed. False, and `out`
 * is as before: the frame would be no shorter than the plain one, or there is no memory for it.
 */
bool deflate_append_frame(
    struct deflate *codec, struct buf *out, enum ws_opcode opcode, struct span message) must_check;

enum inflate_verdict {
	INFLATE_DONE,
	INFLATE_BAD,	 /* no DEFLATE data, or cut off */
	INFLATE_TOO_BIG, /* the message is longer than `limit` */
	INFLATE_NOMEM,
};

/*
 * Appends the message that a compressed payload stands for, and never more than `limit` bytes. What was
 * appended before another verdict than INFLATE_DONE is of no use. Memory grows with what comes out. An empty
 * payload, which some encoders send for an empty message, is taken for one.
 */
enum inflate_verdict deflate_inflate(
    struct deflate *codec, struct buf *out, struct span payload, uint64_t limit) must_check;
