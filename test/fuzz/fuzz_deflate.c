/*
 * Compressed payloads. Beside crashes, what must hold for any bytes: no more than the limit comes out; what
 * comes out whole does so again, with no room to spare and from a codec that has seen nothing else; and what
 * is compressed again inflates to the same.
 */
#include "base/buf.h"
#include "fuzz.h"
#include "proto/deflate.h"

enum { LIMIT = 5000 };

static void
expect(struct deflate *codec, struct span payload, struct span message)
{
	struct buf out = { 0 };

	must(deflate_inflate(codec, &out, payload, message.n) == INFLATE_DONE);
	must(span_is_equal(buf_span(&out), message));
	buf_fini(&out);
	if (message.n > 0)
		must(deflate_inflate(codec, &out, payload, message.n - 1) == INFLATE_TOO_BIG);
	buf_fini(&out);
}

static void
check_again(struct span payload, struct span message)
{
	struct deflate *codec = deflate_new();
	struct buf frame = { 0 };
	struct span whole;

	must(codec != NULL);
	expect(codec, payload, message);
	if (deflate_append_frame(codec, &frame, WS_TEXT, message)) {
		whole = buf_span(&frame);
		must(frame_total(whole) == whole.n &&
		     whole.n < message.n + frame_header_size(message.n));
		expect(codec, span_skip(whole, frame_payload_offset(whole)), message);
	}
	buf_fini(&frame);
	deflate_free(codec);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct deflate *codec = deflate_new();
	char *copy = block_copy((const char *)bytes, n);
	struct span payload = span_make(copy, n);
	struct buf out = { 0 };
	enum inflate_verdict verdict;

	must(codec != NULL);
	verdict = deflate_inflate(codec, &out, payload, LIMIT);
	must(out.len <= LIMIT + (verdict == INFLATE_TOO_BIG) || verdict == INFLATE_BAD);
	if (verdict == INFLATE_DONE)
		check_again(payload, buf_span(&out));
	buf_fini(&out);
	deflate_free(codec);
	free(copy);
	return 0;
}
