/*
 * Bodies of requests, and the other texts that plain HTTP brings. Whatever the bytes: the verdict and the content
 * do not depend on how they were cut; nothing behind the end is taken; no more is kept than the limit; what is
 * accepted in chunks is what a writer of chunks would say of the content. Queries and positions take anything.
 *
 * The first byte says how the pieces are cut and whether there are chunks, the second the limit or the length.
 */
#include <errno.h>

#include "base/buf.h"
#include "fuzz.h"
#include "proto/httpbody.h"
#include "proto/query.h"
#include "proto/sse.h"

struct outcome {
	enum httpbody_verdict verdict;
	size_t used;
	struct buf content;
};

static void
read_body(struct span input, bool chunked, uint64_t length, uint64_t limit, size_t step,
    struct outcome *ret)
{
	struct httpbody body;

	*ret = (struct outcome){ .verdict = HTTPBODY_MORE };
	httpbody_init(&body, chunked, length, limit);
	while (ret->used < input.n && ret->verdict == HTTPBODY_MORE) {
		size_t n = min_size(step, input.n - ret->used), used = 0;
		char *piece = block_copy(input.p + ret->used, n);

		ret->verdict = httpbody_take(&body, piece, n, &ret->content, &used);
		free(piece);
		must(used <= n);
		must(ret->verdict != HTTPBODY_MORE || used == n);
		ret->used += used;
	}
	must(ret->content.len <= limit);
	must(ret->verdict != HTTPBODY_NOMEM);
	must(ret->verdict != HTTPBODY_BAD || (chunked && body.what != NULL));
}

/* What was accepted, written by the book, is accepted again and says the same. */
static void
check_again(const struct buf *content)
{
	struct buf text = { 0 };
	struct outcome again;

	if (content->len > 0) {
		buf_printf(&text, "%zx\r\n", content->len);
		buf_append_span(&text, buf_span(content));
		buf_append_cstr(&text, "\r\n");
	}
	buf_append_cstr(&text, "0\r\n\r\n");
	read_body(buf_span(&text), true, 0, content->len, 7, &again);
	must(again.verdict == HTTPBODY_DONE && again.used == text.len);
	must(span_is_equal(buf_span(&again.content), buf_span(content)));
	buf_fini(&again.content);
	buf_fini(&text);
}

static void
check_body(struct span input, bool chunked, uint64_t number, size_t step)
{
	struct outcome whole, cut;
	uint64_t length = chunked ? 0 : number, limit = chunked ? number * 8 : number;

	read_body(input, chunked, length, limit, SIZE_MAX, &whole);
	read_body(input, chunked, length, limit, step, &cut);
	must(whole.verdict == cut.verdict && whole.used == cut.used);
	must(span_is_equal(buf_span(&whole.content), buf_span(&cut.content)));
	if (!chunked && number > 0)
		must(whole.content.len == min_size((size_t)number, input.n));
	if (chunked && whole.verdict == HTTPBODY_DONE)
		check_again(&whole.content);
	buf_fini(&whole.content);
	buf_fini(&cut.content);
}

static void
check_query(struct span query)
{
	struct query_pair pair;
	size_t len = 0;

	while (query_next(&query, &pair)) {
		char *out = block_new(pair.value.n);
		int r = query_decode(pair.value, out, pair.value.n, &len);

		must(r == 0 || r == -EINVAL);
		must(r < 0 || len <= pair.value.n);
		free(out);
	}
	must(query.n == 0);
}

/* Read back as a browser does, the lines of an event are the text with LF for each line break. */
static void
check_event(struct span text)
{
	struct buf out = { 0 };
	struct span epoch;
	uint64_t seq;

	sse_append(&out, SPAN(""), SPAN("epoch"), 42, text);
	must(buf_status(&out) == 0);
	must(out.len >= 2 && memcmp(out.data + out.len - 2, "\n\n", 2) == 0);
	must(memchr(out.data, '\r', out.len) == NULL);
	/* No empty line before the end, which alone ends the event. */
	must(memmem(out.data, out.len - 1, "\n\n", 2) == NULL);
	buf_fini(&out);
	if (sse_position_read(text, &epoch, &seq))
		must(epoch.n > 0 && epoch.p == text.p && seq <= INT64_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span input;

	if (n < 2)
		return 0;
	input = span_make((const char *)bytes + 2, n - 2);
	check_body(input, (bytes[0] & 1) != 0, bytes[1], (size_t)(bytes[0] >> 1) % 16 + 1);
	check_query(input);
	check_event(input);
	return 0;
}
