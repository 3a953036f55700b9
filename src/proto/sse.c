/*
 * Lines end in LF alone, which every reader takes.
 */
#include "proto/sse.h"

#include <inttypes.h>
#include <string.h>

#include "base/parse.h"

/* The bytes up to the first CR or LF. */
static size_t
line_length(struct span text)
{
	const char *lf = text.n > 0 ? memchr(text.p, '\n', text.n) : NULL;
	size_t n = lf != NULL ? (size_t)(lf - text.p) : text.n;
	const char *cr = n > 0 ? memchr(text.p, '\r', n) : NULL;

	return cr != NULL ? (size_t)(cr - text.p) : n;
}

static void
append_data(struct buf *out, struct span text)
{
	for (;;) {
		size_t n = line_length(text);

		buf_append_cstr(out, "data: ");
		buf_append(out, text.p, n);
		buf_append_byte(out, '\n');
		if (n == text.n)
			return;
		/* CR LF is one line break. */
		if (text.p[n] == '\r' && n + 1 < text.n && text.p[n + 1] == '\n')
			n++;
		text = span_skip(text, n + 1);
	}
}

void
sse_append(struct buf *out, struct span type, struct span epoch, uint64_t seq, struct span text)
{
	if (epoch.n > 0)
		buf_printf(out, "id: %.*s:%" PRIu64 "\n", SPAN_ARGS(epoch), seq);
	if (type.n > 0)
		buf_printf(out, "event: %.*s\n", SPAN_ARGS(type));
	append_data(out, text);
	buf_append_byte(out, '\n');
}

void
sse_append_comment(struct buf *out)
{
	buf_append_cstr(out, ":\n\n");
}

bool
sse_position_read(struct span text, struct span *ret_epoch, uint64_t *ret_seq)
{
	const char *colon = text.n > 0 ? memrchr(text.p, ':', text.n) : NULL;
	size_t n = colon != NULL ? (size_t)(colon - text.p) : 0;

	if (n == 0 || n > SSE_POSITION_MAX)
		return false;
	*ret_epoch = span_make(text.p, n);
	return parse_u64(span_skip(text, n + 1), INT64_MAX, ret_seq) == 0;
}
