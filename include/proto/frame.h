/*
 * WebSocket frames written (RFC 6455 section 5.2), and what both directions share: opcodes, close
 * codes, masking.
 *
 *    0               1               2 .. 9                10 .. 13
 *   +-+-+-+-+-------+-+-------------+---------------------+------------------+---------
 *   |F|R|R|R| opcode|M| length 7 bit| 2 bytes if it is 126| masking key, if M| payload
 *   |I|S|S|S| 4 bit |A|             | 8 bytes if it is 127| 4 bytes          |
 *   |N|V|V|V|       |S|             | most significant 1st|                  |
 *   +-+-+-+-+-------+-+-------------+---------------------+------------------+---------
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

/* RFC 6455 section 5.2. Bit 3 marks control frames. */
enum ws_opcode {
	WS_CONT = 0,
	WS_TEXT = 1,
	WS_BINARY = 2,
	WS_CLOSE = 8,
	WS_PING = 9,
	WS_PONG = 10,
};

/* RFC 6455 section 7.4.1 and the IANA registry. */
enum ws_close_code {
	WS_CLOSE_NORMAL = 1000,
	WS_CLOSE_GOING_AWAY = 1001,
	WS_CLOSE_PROTOCOL_ERROR = 1002,
	WS_CLOSE_UNSUPPORTED = 1003,
	WS_CLOSE_NO_STATUS = 1005, /* stands for a close frame without a code; never on the wire */
	WS_CLOSE_ABNORMAL = 1006,  /* stands for no close frame at all; never on the wire */
	WS_CLOSE_BAD_DATA = 1007,
	WS_CLOSE_POLICY = 1008,
	WS_CLOSE_TOO_BIG = 1009,
	WS_CLOSE_INTERNAL = 1011,
	WS_CLOSE_RESTART = 1012,
	WS_CLOSE_TRY_LATER = 1013,
};

enum {
	FRAME_HEADER_MAX = 14,
	FRAME_CONTROL_MAX = 125, /* bytes of payload in a control frame (RFC 6455 section 5.5) */
	FRAME_REASON_MAX = 123,	 /* of which a close frame uses two for the code */
	FRAME_RSV1 = 0x40, /* of the first byte: the message is compressed (RFC 7692 section 6) */
};

/* Bytes of an unmasked header for len bytes of payload: 2, 4 or 10; a masked one has 4 more. */
size_t frame_header_size(uint64_t len);

/*
 * Writes a frame header and returns its size in bytes. mask points to the 4 bytes of the masking
 * key, or is NULL for an unmasked frame. len is below 2^63.
 */
size_t frame_header_write(uint8_t out[FRAME_HEADER_MAX], enum ws_opcode opcode, bool fin,
    uint64_t len, const uint8_t *mask);

/* Appends a whole unmasked frame, as a server sends it. Out of memory shows in buf_status. */
void frame_append(struct buf *out, enum ws_opcode opcode, struct span payload);

/* Appends a whole masked frame, as a client sends it. Out of memory shows in buf_status. */
void frame_append_masked(
    struct buf *out, enum ws_opcode opcode, struct span payload, const uint8_t mask[4]);

/*
 * Appends an unmasked close frame. The reason is cut to FRAME_REASON_MAX bytes at a character
 * boundary, and left out when it is not UTF-8. A code that may not be sent
 * (frame_close_code_is_valid; 1005 for example) gives a close frame without a body, so that
 * echoing what wsrecv_next reported is always right.
 */
void frame_append_close(struct buf *out, uint16_t code, struct span reason);

/*
 * Masks or unmasks len bytes in place (RFC 6455 section 5.3; the same operation). offset is the
 * position of data in the frame's payload: only its remainder by 4 counts.
 */
void frame_mask(void *data, size_t len, const uint8_t mask[4], size_t offset);

/* Whether a close frame may carry this code: 1000..1003, 1007..1014, 3000..4999. */
bool frame_close_code_is_valid(uint16_t code);

/*
 * How many bytes stand before the payload of the unmasked frame that begins at frame; 0 when frame
 * holds less than the whole header. For frames of our own making: nothing is judged.
 */
size_t frame_payload_offset(struct span frame);

/*
 * How many bytes the whole unmasked frame takes, header and payload; frame need hold no more than
 * the header, and 0 says that it does not hold even that.
 */
uint64_t frame_total(struct span frame);

/*
 * Of a run of frames, of which the first began earlier and has `head_left` bytes left (0: it begins here), the
 * first `sent` bytes are gone: how many bytes of the frame in which they end are left; 0 when they end with one.
 */
uint64_t frame_left_after(uint64_t head_left, struct span frames, size_t sent);
