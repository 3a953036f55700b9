/*
 * WebSocket frames written. Lengths are always in the shortest encoding, as RFC 6455 section 5.2
 * demands.
 */
#include "proto/frame.h"

#include <string.h>

#include "base/text.h"
#include "proto/utf8.h"

enum {
	BIT_FIN = 0x80,
	BIT_MASK = 0x80,
	BITS_LENGTH = 0x7f,
	LENGTH_16 = 126,
	LENGTH_64 = 127,
	MASK_BLOCK = 32,
};

static void
put_big_endian(uint8_t *out, uint64_t value, size_t width)
{
	for (size_t i = width; i-- > 0; value >>= 8)
		out[i] = (uint8_t)value;
}

size_t
frame_header_size(uint64_t len)
{
	if (len < LENGTH_16)
		return 2;
	return len <= UINT16_MAX ? 4 : 10;
}

size_t
frame_header_write(uint8_t out[FRAME_HEADER_MAX], enum ws_opcode opcode, bool fin, uint64_t len,
    const uint8_t *mask)
{
	size_t size = frame_header_size(len);
	uint8_t mask_bit = mask != NULL ? BIT_MASK : 0;

	out[0] = (uint8_t)((fin ? BIT_FIN : 0) | (uint8_t)opcode);
	if (size == 2) {
		out[1] = (uint8_t)(mask_bit | len);
	} else {
		out[1] = (uint8_t)(mask_bit | (size == 4 ? LENGTH_16 : LENGTH_64));
		put_big_endian(out + 2, len, size - 2);
	}
	if (mask == NULL)
		return size;
	memcpy(out + size, mask, 4);
	return size + 4;
}

void
frame_append(struct buf *out, enum ws_opcode opcode, struct span payload)
{
	uint8_t header[FRAME_HEADER_MAX];
	size_t size = frame_header_write(header, opcode, true, payload.n, NULL);

	if (!buf_reserve(out, size + payload.n))
		return;
	buf_append(out, header, size);
	buf_append_span(out, payload);
}

void
frame_append_masked(
    struct buf *out, enum ws_opcode opcode, struct span payload, const uint8_t mask[4])
{
	uint8_t header[FRAME_HEADER_MAX];
	size_t size = frame_header_write(header, opcode, true, payload.n, mask);

	if (!buf_reserve(out, size + payload.n))
		return;
	buf_append(out, header, size);
	buf_append_span(out, payload);
	frame_mask(out->data + out->len - payload.n, payload.n, mask, 0);
}

void
frame_append_close(struct buf *out, uint16_t code, struct span reason)
{
	uint8_t body[FRAME_CONTROL_MAX];
	size_t len = 0;

	if (frame_close_code_is_valid(code)) {
		put_big_endian(body, code, 2);
		len = 2;
		if (reason.n > 0 && utf8_is_valid(reason)) {
			reason = text_cut(reason, FRAME_REASON_MAX);
			memcpy(body + 2, reason.p, reason.n);
			len += reason.n;
		}
	}
	frame_append(out, WS_CLOSE, span_make((const char *)body, len));
}

void
frame_mask(void *data, size_t len, const uint8_t mask[4], size_t offset)
{
	uint8_t *p = data, key[8];
	uint64_t key_word;
	size_t i = 0;

	for (size_t k = 0; k < sizeof(key); k++)
		key[k] = mask[(offset + k) % 4];
	memcpy(&key_word, key, sizeof(key_word));
	for (; len - i >= MASK_BLOCK; i += MASK_BLOCK) {
		uint64_t w[MASK_BLOCK / sizeof(uint64_t)];

		memcpy(w, p + i, MASK_BLOCK);
		for (size_t k = 0; k < MASK_BLOCK / sizeof(uint64_t); k++)
			w[k] ^= key_word;
		memcpy(p + i, w, MASK_BLOCK);
	}
	for (; i < len; i++)
		p[i] ^= key[i % 4];
}

bool
frame_close_code_is_valid(uint16_t code)
{
	if (code >= 3000)
		return code < 5000;
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

size_t
frame_payload_offset(struct span frame)
{
	uint8_t length;
	size_t size;

	if (frame.n < 2)
		return 0;
	length = (uint8_t)frame.p[1] & BITS_LENGTH;
	size = length < LENGTH_16 ? 2 : length == LENGTH_16 ? 4 : 10;
	return size <= frame.n ? size : 0;
}

uint64_t
frame_total(struct span frame)
{
	size_t header = frame_payload_offset(frame);
	uint64_t len = 0;

	if (header == 0)
		return 0;
	if (header == 2)
		return header + ((uint8_t)frame.p[1] & BITS_LENGTH);
	for (size_t i = 2; i < header; i++)
		len = len << 8 | (uint8_t)frame.p[i];
	return header + len;
}

uint64_t
frame_left_after(uint64_t head_left, struct span frames, size_t sent)
{
	size_t at = 0;
	uint64_t left = head_left;

	while (at < sent) {
		uint64_t step;

		if (left == 0)
			left = frame_total(span_make(frames.p + at, frames.n - at));
		if (left == 0) /* no frame: better drop nothing than count for ever */
			return frames.n - sent;
		step = min_u64(left, sent - at);
		at += (size_t)step;
		left -= step;
	}
	return left;
}
