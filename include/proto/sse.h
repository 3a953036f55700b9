/*
 * Server-Sent Events as a browser's EventSource reads them (WHATWG HTML, section 9.2): how the gateway's
 * events look on GET /api/v1/events.
 *
 *	id: 5b1e8f0c2a77d946:1066
 *	data: {"id":"evt_0000042a","type":"event","seq":1066,…}
 *	                                                        (an empty line)
 *
 * No "event:" stands in an event of the stream, so all reach onmessage and the text names them: with it a page
 * would have to know every name in advance.  Line breaks in the text, which JSON allows between tokens, begin a
 * new "data:" line; EventSource puts LF in their place.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/span.h"

enum { SSE_POSITION_MAX = 64 + 1 + 20 }; /* bytes of EPOCH:SEQ */

/*
 * Appends one event.  type: "event:", left out when empty; with an empty epoch there is no "id:", so the
 * client's position stays.  Neither has a line break in it.  Out of memory shows in buf_status.
 */
void sse_append(
    struct buf *out, struct span type, struct span epoch, uint64_t seq, struct span text);

/* Appends a comment, which no client sees, to keep what stands in between from hanging up. */
void sse_append_comment(struct buf *out);

/* Reads EPOCH:SEQ.  False: it is no position. */
bool sse_position_read(struct span text, struct span *ret_epoch, uint64_t *ret_seq) must_check;
