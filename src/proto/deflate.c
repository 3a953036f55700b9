/*
 * zlib as RFC 7692 wants it: raw DEFLATE, flushed to a byte boundary by an empty stored block whose last four
 * bytes are left out on the wire, and put back before inflating.
 */
#include "proto/deflate.h"

#include <limits.h>
#include <string.h>

#include <zlib.h>

#include "base/alloc.h"

enum {
	WINDOW_BITS = -15, /* negative: raw, without zlib's header */
	/* JSON, against level 1: a tenth slower at a kilobyte, and from there on up to an eighth shorter. */
	LEVEL = 4,
	MEMORY_LEVEL = 8, /* 256 KiB; less is slower, although less is cleared for each message */
	TAIL_LEN = 4,
	/* What inflating reserves at a time. */
	ROOM_FIRST = 1024,
	ROOM_MAX = 256 * 1024,
	AT_BLOCK_END = 128, /* a bit of z_stream.data_type, after inflate */
};

static const char tail[TAIL_LEN] = { 0, 0, '\xff', '\xff' };

struct deflate {
	z_stream out, in;
};

static void *
allocate(void *opaque, uInt count, uInt n)
{
	(void)opaque;
	return mem_array(count, n);
}

static void
release(void *opaque, void *block)
{
	(void)opaque;
	mem_free(block);
}

/* The window is asked for with the first byte that is inflated; from then on it is there. */
static bool
warm_up(struct deflate *codec)
{
	static const char fixed_a[] = "\x4a\x04"; /* and 0: "a" */
	struct buf out = { 0 };
	bool is_done =
	    deflate_inflate(codec, &out, span_make(fixed_a, sizeof(fixed_a)), 1) == INFLATE_DONE;

	buf_fini(&out);
	return is_done;
}

struct deflate *
deflate_new(void)
{
	struct deflate *codec = mem_zalloc(sizeof(*codec));

	if (codec == NULL)
		return NULL;
	codec->out.zalloc = codec->in.zalloc = allocate;
	codec->out.zfree = codec->in.zfree = release;
	if (deflateInit2(&codec->out, LEVEL, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL,
		Z_DEFAULT_STRATEGY) != Z_OK ||
	    inflateInit2(&codec->in, WINDOW_BITS) != Z_OK || !warm_up(codec)) {
		deflate_free(codec);
		return NULL;
	}
	return codec;
}

void
deflate_free(struct deflate *codec)
{
	if (codec == NULL)
		return;
	/* What was never made is refused by both. */
	(void)deflateEnd(&codec->out);
	(void)inflateEnd(&codec->in);
	mem_free(codec);
}

/* --- compressing -------------------------------------------------------------------------- */

static Bytef *
bytes_of(const char *p)
{
	return (Bytef *)(uintptr_t)p;
}

/*
 * Compresses into `room` bytes; returns how many it took without the tail, or 0 when they are not enough. No
 * message gives 0 bytes.
 */
static size_t
compress_into(z_stream *z, char *to, size_t room, struct span message)
{
	size_t n;

	if (message.n > UINT_MAX || room > UINT_MAX || deflateReset(z) != Z_OK)
		return 0;
	z->next_in = bytes_of(message.p);
	z->avail_in = (uInt)message.n;
	z->next_out = bytes_of(to);
	z->avail_out = (uInt)room;
	/* A flush that fills the room to the last byte may not be at its end. */
	if (deflate(z, Z_SYNC_FLUSH) != Z_OK || z->avail_in > 0 || z->avail_out == 0)
		return 0;
	n = room - z->avail_out;
	return n > TAIL_LEN ? n - TAIL_LEN : 0;
}

bool
deflate_append_frame(
    struct deflate *codec, struct buf *out, enum ws_opcode opcode, struct span message)
{
	uint8_t header[FRAME_HEADER_MAX];
	size_t header_max = frame_header_size(message.n), header_len, n;
	char *at;

	/* Room for a payload that is shorter than the message; the tail stands behind it for a moment. */
	if (out->failed || !buf_reserve(out, header_max + message.n + TAIL_LEN)) {
		out->failed = false;
		return false;
	}
	at = out->data + out->len;
	n = compress_into(&codec->out, at + header_max, message.n + TAIL_LEN, message);
	if (n == 0)
		return false;
	header_len = frame_header_write(header, opcode, true, n, NULL);
	header[0] = (uint8_t)(header[0] | FRAME_RSV1);
	memcpy(at, header, header_len);
	if (header_len < header_max)
		memmove(at + header_len, at + header_max, n);
	out->len += header_len + n;
	return true;
}

/* --- inflating ---------------------------------------------------------------------------- */

/* Inflates as much as one reservation holds; Z_OK: go on. */
static int
inflate_step(z_stream *z, struct buf *out, uint64_t limit)
{
	/* One byte past the limit shows that it was passed. */
	size_t room = min_size(out->len + ROOM_FIRST, ROOM_MAX);
	int r;

	room = (size_t)min_u64(room, limit - out->len + 1);
	if (!buf_reserve(out, room))
		return Z_MEM_ERROR;
	z->next_out = bytes_of(out->data + out->len);
	z->avail_out = (uInt)room;
	r = inflate(z, Z_SYNC_FLUSH);
	out->len += room - z->avail_out;
	if (r == Z_STREAM_END)
		/* A block that called itself the last one: others may follow (RFC 7692 section 7.2.3.4). */
		r = inflateReset(z);
	return r;
}

/* Inflates one part of the payload to its end. */
static enum inflate_verdict
inflate_part(z_stream *z, struct buf *out, struct span part, uint64_t limit)
{
	z->next_in = bytes_of(part.p);
	z->avail_in = (uInt)part.n;
	do {
		switch (inflate_step(z, out, limit)) {
		case Z_OK:
			break;
		case Z_BUF_ERROR: /* nothing was left to do */
			return INFLATE_DONE;
		case Z_MEM_ERROR:
			return INFLATE_NOMEM;
		default:
			return INFLATE_BAD;
		}
		if (out->len > limit)
			return INFLATE_TOO_BIG;
	} while (z->avail_in > 0 || z->avail_out == 0);
	return INFLATE_DONE;
}

enum inflate_verdict
deflate_inflate(struct deflate *codec, struct buf *out, struct span payload, uint64_t limit)
{
	z_stream *z = &codec->in;
	enum inflate_verdict verdict;
	size_t end;

	if (payload.n == 0)
		return INFLATE_DONE;
	if (payload.n > UINT_MAX || inflateReset(z) != Z_OK)
		return INFLATE_BAD;
	limit += out->len;
	verdict = inflate_part(z, out, payload, limit);
	if (verdict != INFLATE_DONE)
		return verdict;
	/* Where the tail ends no block, or gives bytes, it was taken for data that are missing. */
	end = out->len;
	verdict = inflate_part(z, out, span_make(tail, sizeof(tail)), UINT64_MAX - 1);
	if (verdict == INFLATE_DONE && (out->len != end || (z->data_type & AT_BLOCK_END) == 0))
		return INFLATE_BAD;
	return verdict;
}
