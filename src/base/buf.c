/*
 * Invariants: len <= cap; data is NULL exactly when cap is 0; a failed buffer keeps what it held
 * and takes nothing more.
 */
#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

enum { CAP_MIN = 64 };

static bool
fail(struct buf *b)
{
	b->failed = true;
	return false;
}

bool
buf_reserve(struct buf *b, size_t extra)
{
	size_t wanted, cap;
	char *data;

	if (b->failed)
		return false;
	if (extra <= b->cap - b->len)
		return true;
	/* No object is larger than half the address space: so doubling does not overflow either. */
	if (extra > SIZE_MAX / 2 - b->len)
		return fail(b);
	wanted = b->len + extra;
	cap = b->cap > 0 ? 2 * b->cap : CAP_MIN;
	if (cap < wanted)
		cap = wanted;
	data = mem_resize(b->data, cap);
	if (data == NULL)
		return fail(b);
	b->data = data;
	b->cap = cap;
	return true;
}

void
buf_append(struct buf *b, const void *bytes, size_t n)
{
	if (n == 0 || !buf_reserve(b, n))
		return;
	memcpy(b->data + b->len, bytes, n);
	b->len += n;
}

void
buf_append_span(struct buf *b, struct span s)
{
	buf_append(b, s.p, s.n);
}

void
buf_append_cstr(struct buf *b, const char *s)
{
	buf_append(b, s, strlen(s));
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list args, again;
	size_t room;
	int n;

	if (b->failed)
		return;
	va_start(args, fmt);
	va_copy(again, args);
	room = b->cap - b->len;
	n = vsnprintf(room > 0 ? b->data + b->len : NULL, room, fmt, args);
	if (n < 0) {
		fail(b);
	} else if ((size_t)n < room) {
		b->len += (size_t)n;
	} else if (buf_reserve(b, (size_t)n + 1)) {
		vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
	va_end(args);
}

void
buf_consume(struct buf *b, size_t n)
{
	if (n >= b->len) {
		b->len = 0;
		return;
	}
	if (n == 0)
		return;
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = false;
}

void
buf_trim(struct buf *b, size_t limit_bytes)
{
	char *data;

	if (b->cap <= limit_bytes || b->cap == b->len)
		return;
	if (b->len == 0) {
		mem_free(b->data);
		b->data = NULL;
		b->cap = 0;
		return;
	}
	data = mem_resize(b->data, b->len);
	if (data == NULL)
		return;
	b->data = data;
	b->cap = b->len;
}

void
buf_rest(struct buf *b, size_t limit_bytes)
{
	buf_reset(b);
	buf_trim(b, limit_bytes);
}

void
buf_fini(struct buf *b)
{
	mem_free(b->data);
	*b = (struct buf){ 0 };
}

char *
buf_steal(struct buf *b, size_t *ret_len)
{
	char *data;

	buf_append_byte(b, '\0');
	if (b->failed) {
		buf_fini(b);
		return NULL;
	}
	data = b->data;
	if (ret_len != NULL)
		*ret_len = b->len - 1;
	*b = (struct buf){ 0 };
	return data;
}

int
buf_status(const struct buf *b)
{
	return b->failed ? -ENOMEM : 0;
}

struct span
buf_span(const struct buf *b)
{
	return span_make(b->data, b->len);
}
