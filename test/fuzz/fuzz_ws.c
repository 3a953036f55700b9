/*
 * Frames received. Beside crashes, what must hold for any bytes: fed whole, byte by byte, and in
 * pieces, the same items come out.
 *
 * The first byte sets the limits and the size of the pieces; the rest is the peer's.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "proto/wsrecv.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
note(struct buf *out, enum wsrecv_verdict verdict, const struct wsrecv_item *item)
{
	bool is_text = verdict == WSRECV_TEXT || verdict == WSRECV_CLOSE;

	must(item->payload.p != NULL);
	must(!is_text || utf8_is_valid(item->payload));
	must(verdict != WSRECV_CLOSE || item->code == WS_CLOSE_NO_STATUS ||
	     frame_close_code_is_valid(item->code));
	buf_printf(out, "%d %u %zu ", (int)verdict, item->code, item->payload.n);
	buf_append_span(out, item->payload);
}

/* Writes down all that comes out of the bytes fed in pieces of that size. */
static void
run(const struct wsrecv_limits *limits, struct span input, size_t piece_size, struct buf *out)
{
	struct wsrecv ws = { 0 };

	for (size_t at = 0; at < input.n; at += piece_size) {
		size_t n = input.n - at < piece_size ? input.n - at : piece_size, done = 0, used;
		enum wsrecv_verdict verdict;
		struct wsrecv_item item;
		char *data = malloc(n); /* of its own size, so that the sanitizer sees its end */

		must(data != NULL);
		memcpy(data, input.p + at, n);
		do {
			verdict = wsrecv_next(&ws, limits, data + done, n - done, &used, &item);
			done += used;
			must(done <= n);
			if (verdict != WSRECV_MORE)
				note(out, verdict, &item);
		} while (verdict != WSRECV_MORE);
		must(done == n);
		must(!wsrecv_is_idle(&ws) || ws.message.data == NULL);
		free(data);
	}
	wsrecv_fini(&ws);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct wsrecv_limits limits;
	struct buf whole = { 0 }, single = { 0 }, pieces = { 0 };
	struct span input;

	if (n < 2)
		return 0;
	limits = (struct wsrecv_limits){ .max_message = 300,
		.max_fragments = 3,
		.allow_binary = (bytes[0] & 1) != 0,
		.expect_masked = (bytes[0] & 2) != 0 };
	input = span_make((const char *)bytes + 1, n - 1);
	run(&limits, input, input.n, &whole);
	run(&limits, input, 1, &single);
	run(&limits, input, 2U + (bytes[0] >> 2), &pieces);
	must(span_is_equal(buf_span(&whole), buf_span(&single)));
	must(span_is_equal(buf_span(&whole), buf_span(&pieces)));
	buf_fini(&whole);
	buf_fini(&single);
	buf_fini(&pieces);
	return 0;
}
