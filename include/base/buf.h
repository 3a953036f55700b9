/*
 * A growing run of bytes. Writers append without looking; the first failure (no memory, or a
 * length that does not fit a size_t) sticks, later appends do nothing, and the caller asks once at
 * the end by buf_status(). A zero-initialised struct is a valid empty buffer that owns nothing.
 *
 *	data            data+len             data+cap
 *	 | bytes written | room for more      |
 *
 * The bytes are not terminated. Growth is geometric, so n appends cost O(n) together.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/span.h"

struct buf {
	char *data; /* NULL while cap is 0 */
	size_t len, cap;
	bool failed; /* sticky until buf_reset or buf_fini */
};

/*
 * Makes room for `extra` more bytes, so that the caller may write up to that many at
 * data+len and then add to len. False: the buffer has failed (now or before) and there is no such
 * room; what it held is still there.
 */
bool buf_reserve(struct buf *, size_t extra);

/* Appends n bytes. They must not lie inside the buffer itself. n may be 0, and then bytes NULL. */
void buf_append(struct buf *, const void *bytes, size_t n);

/* Appends the bytes of a span, which must not lie inside the buffer itself. */
void buf_append_span(struct buf *, struct span);

/* Appends a terminated string without its terminator. */
void buf_append_cstr(struct buf *, const char *);

/* Appends formatted text without a terminator. A format that printf refuses fails the buffer. */
void buf_printf(struct buf *, const char *fmt, ...) printf_like(2, 3);

/*
 * Drops the first n bytes (at most all of them) by moving the rest down: cheap when little or
 * nothing is left, else linear in what remains.
 */
void buf_consume(struct buf *, size_t n);

/* Empties the buffer and forgets a failure, but keeps the memory for the next use. */
void buf_reset(struct buf *);

/*
 * Gives spare memory back when more than `limit_bytes` are reserved: the buffer then owns only
 * what it holds. Never fails: without memory for the smaller block the larger one stays.
 */
void buf_trim(struct buf *, size_t limit_bytes);

/* Empties the buffer as buf_reset does, and keeps at most `limit_bytes` of its memory. */
void buf_rest(struct buf *, size_t limit_bytes);

/* Frees the memory; the buffer is as if zero-initialised and may be used again. */
void buf_fini(struct buf *);

/*
 * Hands the bytes out, terminated by a NUL that ret_len (may be NULL) does not count; to be freed
 * by mem_free. An empty buffer gives "". NULL: the buffer had failed or there was no memory for
 * the terminator. The buffer is empty afterwards in every case.
 */
char *buf_steal(struct buf *, size_t *ret_len) must_check;

/* 0, or -ENOMEM when something could not be appended. */
int buf_status(const struct buf *) must_check;

/* The bytes held; valid until the buffer is next changed. */
struct span buf_span(const struct buf *);

/* Appends one byte. */
static inline void
buf_append_byte(struct buf *b, char byte)
{
	if (b->failed || (b->len == b->cap && !buf_reserve(b, 1)))
		return;
	b->data[b->len++] = byte;
}
