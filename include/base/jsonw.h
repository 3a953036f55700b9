/*
 * Writes JSON text into a buffer, compact, with the commas where they belong. What comes out is
 * valid when the calls were balanced, each member of an object had its jsonw_key, and every
 * jsonw_raw was valid; whatever bytes the strings held. Failures stick in the buffer: ask
 * buf_status once at the end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

struct jsonw {
	struct buf *out; /* the caller's */
	bool comma;	 /* the next key or element is not the first of its container */
};

/* Begins to write a value at the end of out, which must outlive the writer. Nothing to finish. */
void jsonw_init(struct jsonw *, struct buf *out);

/* Opens an object, as a value. */
void jsonw_object(struct jsonw *);

/* Closes the innermost object. */
void jsonw_object_end(struct jsonw *);

/* Opens an array, as a value. */
void jsonw_array(struct jsonw *);

/* Closes the innermost array. */
void jsonw_array_end(struct jsonw *);

/* Names the next member of the innermost object; escaped like any string. */
void jsonw_key(struct jsonw *, const char *key);

/* The same for a key that is no literal. */
void jsonw_key_span(struct jsonw *, struct span key);

/*
 * A string value. Quotes, backslashes and control characters are escaped; bytes that are not valid
 * UTF-8 become U+FFFD, one for each maximal invalid part, as the Unicode standard advises.
 */
void jsonw_str(struct jsonw *, struct span);

/* A string value from a terminated string; NULL writes null. */
void jsonw_cstr(struct jsonw *, const char *);

/* A signed integer. */
void jsonw_int(struct jsonw *, int64_t);

/* An unsigned integer. */
void jsonw_uint(struct jsonw *, uint64_t);

/* true or false. */
void jsonw_bool(struct jsonw *, bool);

/* null. */
void jsonw_null(struct jsonw *);

/* A value that is JSON text already, copied byte for byte. */
void jsonw_raw(struct jsonw *, struct span);

/* Appends the string escaped as jsonw_str does, without the quotes around it. */
void jsonw_escape(struct buf *out, struct span);
