/*
 * Writes what the gateway answers, as JSON text; the WebSocket frame around it is frame_append's.
 * There is one writer of the protocol's ErrorShape, {"code","message","details"?}, for responses,
 * for a refused hello, and for HTTP. Failures stick in the buffer.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/jsonw.h"
#include "base/span.h"
#include "proto/errors.h"

enum { REPLY_MESSAGE_MAX = 255 }; /* bytes of an error's sentence */

struct reply_error {
	enum error_code code;
	const char *reason;	 /* details.reason, a kebab-case word; NULL: left out */
	const char *field;	 /* details.field, a path such as client.mode; NULL: left out */
	bool retryable;		 /* details.retryable; said of ERROR_UNAVAILABLE in any case */
	uint32_t retry_after_ms; /* details.retryAfterMs; 0: left out */
	char message[REPLY_MESSAGE_MAX + 1]; /* one sentence: what was wrong, what would be right */
};

/* Sets the sentence; what does not fit is cut at a character boundary and ends with "...". */
void reply_error_say(struct reply_error *, const char *fmt, ...) printf_like(2, 3);

/* Appends {"id":…,"type":"response","result":…}. result is JSON text, taken byte for byte. */
void reply_result(struct buf *out, struct span id, struct span result);

/* Appends {"id":…,"type":"response","error":{…}}. An empty id is written as "". */
void reply_error(struct buf *out, struct span id, const struct reply_error *);

/* The same around the text of an ErrorShape, taken byte for byte. */
void reply_error_text(struct buf *out, struct span id, struct span error);

/* Appends {"id":…,"type":"progress","payload":…}; payload is JSON text, taken byte for byte. */
void reply_progress(struct buf *out, struct span id, struct span payload);

/*
 * Appends {"type":"hello-error","error":{…}}. With tells_supported the details also name the range
 * of protocol versions that this server speaks.
 */
void reply_hello_error(struct buf *out, const struct reply_error *, bool tells_supported);

/* Writes the ErrorShape alone, as the next value. */
void reply_error_shape(struct jsonw *, const struct reply_error *);
