/*
 * The receiving half of a WebSocket connection. One loop over two states, header and payload,
 * which both may be cut anywhere.
 *
 * Invariants: header_len is 0 exactly between frames, fragments is 0 exactly between messages;
 * message holds nothing of a frame whose header was refused; its length never exceeds max_message
 * plus one control frame. A header is judged field by field as it comes in, always in the same
 * order, so the verdict is the same for every way of cutting it.
 */
#include "proto/wsrecv.h"

#include <string.h>

#include "base/macros.h"

enum {
	BIT_FIN = 0x80,
	BITS_RESERVED = 0x70,
	BIT_COMPRESSED = FRAME_RSV1,
	BITS_OPCODE = 0x0f,
	BIT_CONTROL = 0x08, /* within the opcode */
	BIT_MASK = 0x80,
	BITS_LENGTH = 0x7f,
	LENGTH_16 = 126,
	LENGTH_64 = 127,
	KEY_LEN = 4,
	KEY_AT = FRAME_HEADER_MAX - KEY_LEN,
};

enum phase {
	PHASE_HEADER,
	PHASE_PAYLOAD,
	PHASE_DELIVERED, /* the caller may still look at the last item */
};

struct fault {
	uint16_t code;
	const char *reason;
};

static const struct fault reserved_bits = { WS_CLOSE_PROTOCOL_ERROR,
	"A reserved bit is set, and no extension was negotiated that defines it." };
static const struct fault rsv1_misplaced = { WS_CLOSE_PROTOCOL_ERROR,
	"RSV1 is set, which only the first frame of a message may have." };
static const struct fault reserved_opcode = { WS_CLOSE_PROTOCOL_ERROR,
	"The frame has a reserved opcode." };
static const struct fault control_fragmented = { WS_CLOSE_PROTOCOL_ERROR,
	"A control frame must not be fragmented." };
static const struct fault control_too_long = { WS_CLOSE_PROTOCOL_ERROR,
	"A control frame carries at most 125 bytes." };
static const struct fault nothing_to_continue = { WS_CLOSE_PROTOCOL_ERROR,
	"A continuation frame came, but no message had begun." };
static const struct fault message_unfinished = { WS_CLOSE_PROTOCOL_ERROR,
	"A new message began before the last fragment of the one before." };
static const struct fault not_masked = { WS_CLOSE_PROTOCOL_ERROR,
	"Frames from a client must be masked." };
static const struct fault masked = { WS_CLOSE_PROTOCOL_ERROR,
	"Frames from a server must not be masked." };
static const struct fault length_not_minimal = { WS_CLOSE_PROTOCOL_ERROR,
	"The payload length must be encoded in as few bytes as possible." };
static const struct fault length_negative = { WS_CLOSE_PROTOCOL_ERROR,
	"The most significant bit of a payload length must be 0." };
static const struct fault close_too_short = { WS_CLOSE_PROTOCOL_ERROR,
	"The body of a close frame begins with a code of two bytes." };
static const struct fault close_code = { WS_CLOSE_PROTOCOL_ERROR,
	"The close code is none that a peer may send." };
static const struct fault binary = { WS_CLOSE_UNSUPPORTED,
	"Binary messages are not accepted; send text." };
static const struct fault text_not_utf8 = { WS_CLOSE_BAD_DATA,
	"The text message is not valid UTF-8." };
static const struct fault reason_not_utf8 = { WS_CLOSE_BAD_DATA,
	"The close reason is not valid UTF-8." };
static const struct fault message_too_big = { WS_CLOSE_TOO_BIG,
	"The message is larger than accepted." };
static const struct fault too_many_fragments = { WS_CLOSE_TOO_BIG,
	"The message has too many fragments." };
static const struct fault no_memory = { WS_CLOSE_INTERNAL, "Out of memory." };

static bool
is_control(const struct wsrecv *ws)
{
	return (ws->header[0] & BIT_CONTROL) != 0;
}

static bool
is_masked(const struct wsrecv *ws)
{
	return (ws->header[1] & BIT_MASK) != 0;
}

/* Bytes of the header up to the end of the length; from the second byte on. */
static size_t
length_end(const struct wsrecv *ws)
{
	uint8_t length = ws->header[1] & BITS_LENGTH;

	if (length < LENGTH_16)
		return 2;
	return length == LENGTH_16 ? 4 : 10;
}

/* Where the header's field that is being read ends; where the header ends, when it is whole. */
static size_t
field_end(const struct wsrecv *ws)
{
	if (ws->header_len < 2)
		return ws->header_len + 1U;
	if (ws->header_len < length_end(ws))
		return length_end(ws);
	return length_end(ws) + (is_masked(ws) ? KEY_LEN : 0);
}

/* Judges the reserved bits (RFC 6455 section 5.2, RFC 7692 section 6). */
static const struct fault *
check_reserved_bits(const struct wsrecv *ws, const struct wsrecv_limits *limits)
{
	uint8_t first = ws->header[0];

	if ((first & BITS_RESERVED) == 0)
		return NULL;
	if ((first & BITS_RESERVED) != BIT_COMPRESSED || !limits->allow_compressed)
		return &reserved_bits;
	return is_control(ws) || (first & BITS_OPCODE) == WS_CONT ? &rsv1_misplaced : NULL;
}

/* Judges FIN and the opcode (RFC 6455 sections 5.2, 5.4 and 5.5). */
static const struct fault *
check_opcode(const struct wsrecv *ws, const struct wsrecv_limits *limits)
{
	uint8_t first = ws->header[0];

	switch (first & BITS_OPCODE) {
	case WS_CONT:
		if (ws->fragments == 0)
			return &nothing_to_continue;
		return ws->fragments >= limits->max_fragments ? &too_many_fragments : NULL;
	case WS_TEXT:
		return ws->fragments > 0 ? &message_unfinished : NULL;
	case WS_BINARY:
		if (ws->fragments > 0)
			return &message_unfinished;
		return limits->allow_binary ? NULL : &binary;
	case WS_CLOSE:
	case WS_PING:
	case WS_PONG:
		return (first & BIT_FIN) == 0 ? &control_fragmented : NULL;
	}
	return &reserved_opcode;
}

/* Judges the mask bit (section 5.1) and the short length. */
static const struct fault *
check_second_byte(const struct wsrecv *ws, const struct wsrecv_limits *limits)
{
	if (is_masked(ws) != limits->expect_masked)
		return limits->expect_masked ? &not_masked : &masked;
	if (is_control(ws) && length_end(ws) > 2)
		return &control_too_long;
	return NULL;
}

/*
 * Reads the whole length and judges it. Nothing is added to it before it was found to lie within
 * the bound.
 */
static const struct fault *
check_length(struct wsrecv *ws, const struct wsrecv_limits *limits)
{
	size_t end = length_end(ws);
	uint64_t length = 0;

	if (end == 2) {
		length = ws->header[1] & BITS_LENGTH;
	} else {
		for (size_t i = 2; i < end; i++)
			length = length << 8 | ws->header[i];
		if (length > INT64_MAX)
			return &length_negative;
		if (frame_header_size(length) != end)
			return &length_not_minimal;
	}
	if (!is_control(ws) &&
	    (length > limits->max_message || ws->message.len > limits->max_message - length))
		return &message_too_big;
	ws->frame_left = length;
	return NULL;
}

/* Judges the field of the header that has just become whole. */
static const struct fault *
check_field(struct wsrecv *ws, const struct wsrecv_limits *limits)
{
	const struct fault *fault = NULL;

	if (ws->header_len == 1) {
		fault = check_reserved_bits(ws, limits);
		return fault != NULL ? fault : check_opcode(ws, limits);
	}
	if (ws->header_len == 2)
		fault = check_second_byte(ws, limits);
	if (fault == NULL && ws->header_len == length_end(ws))
		fault = check_length(ws, limits);
	return fault;
}

/* The header is whole and good. */
static void
begin_payload(struct wsrecv *ws)
{
	if (is_masked(ws))
		memmove(ws->header + KEY_AT, ws->header + ws->header_len - KEY_LEN, KEY_LEN);
	if (!is_control(ws)) {
		if (ws->fragments++ == 0) {
			ws->message_opcode = ws->header[0] & BITS_OPCODE;
			ws->is_compressed = (ws->header[0] & BIT_COMPRESSED) != 0;
			utf8_init(&ws->utf8);
		}
	}
	ws->phase = PHASE_PAYLOAD;
}

/* Reads on in the header, and into PHASE_PAYLOAD when it is whole. NULL, or what is wrong. */
static const struct fault *
read_header(struct wsrecv *ws, const struct wsrecv_limits *limits, const char *data, size_t len,
    size_t *used)
{
	while (*used < len) {
		size_t n = min_size(field_end(ws) - ws->header_len, len - *used);
		size_t end = field_end(ws);
		const struct fault *fault;

		memcpy(ws->header + ws->header_len, data + *used, n);
		ws->header_len = (uint8_t)(ws->header_len + n);
		*used += n;
		if (ws->header_len < end)
			return NULL;
		fault = check_field(ws, limits);
		if (fault != NULL)
			return fault;
		if (ws->header_len >= 2 && ws->header_len == field_end(ws)) {
			begin_payload(ws);
			return NULL;
		}
	}
	return NULL;
}

/* Unmasks the next n bytes of the payload in place and turns the key by as much. */
static void
unmask(struct wsrecv *ws, char *piece, size_t n)
{
	uint8_t *key = ws->header + KEY_AT;
	uint8_t turned[KEY_LEN];

	if (!is_masked(ws))
		return;
	frame_mask(piece, n, key, 0);
	for (size_t i = 0; i < KEY_LEN; i++)
		turned[i] = key[(n + i) % KEY_LEN];
	memcpy(key, turned, KEY_LEN);
}

static enum wsrecv_verdict
fail(struct wsrecv *ws, const struct fault *fault, struct wsrecv_item *ret)
{
	wsrecv_fini(ws);
	ws->is_closed = true;
	*ret = (struct wsrecv_item){ SPAN(""), fault->code, fault->reason, false };
	return WSRECV_FAIL;
}

/* A whole close frame (RFC 6455 sections 5.5.1 and 7.4). */
static enum wsrecv_verdict
deliver_close(struct wsrecv *ws, struct span body, struct wsrecv_item *ret)
{
	uint16_t code;

	ret->code = WS_CLOSE_NO_STATUS;
	if (body.n == 1)
		return fail(ws, &close_too_short, ret);
	if (body.n >= 2) {
		code = (uint16_t)((uint8_t)body.p[0] << 8 | (uint8_t)body.p[1]);
		if (!frame_close_code_is_valid(code))
			return fail(ws, &close_code, ret);
		ret->code = code;
		ret->payload = span_skip(body, 2);
		if (!utf8_is_valid(ret->payload))
			return fail(ws, &reason_not_utf8, ret);
	}
	ws->is_closed = true;
	ws->fragments = 0;
	return WSRECV_CLOSE;
}

/* A whole control frame; its payload lies in the caller's bytes or at the end of message. */
static enum wsrecv_verdict
deliver_control(struct wsrecv *ws, struct span payload, struct wsrecv_item *ret)
{
	*ret = (struct wsrecv_item){ payload, 0, "", false };
	ws->phase = PHASE_DELIVERED;
	ws->header_len = 0;
	switch (ws->header[0] & BITS_OPCODE) {
	case WS_PING:
		return WSRECV_PING;
	case WS_PONG:
		return WSRECV_PONG;
	default: /* check_first_byte let no other one through */
		return deliver_close(ws, payload, ret);
	}
}

/* Takes a piece of a control frame, which is already unmasked. WSRECV_MORE: go on. */
static enum wsrecv_verdict
take_control(struct wsrecv *ws, struct span piece, struct wsrecv_item *ret)
{
	if (ws->control_len == 0 && ws->frame_left == 0)
		return deliver_control(ws, piece, ret);
	buf_append_span(&ws->message, piece);
	if (buf_status(&ws->message) != 0)
		return fail(ws, &no_memory, ret);
	ws->control_len = (uint8_t)(ws->control_len + piece.n);
	if (ws->frame_left > 0)
		return WSRECV_MORE;
	piece = buf_span(&ws->message);
	return deliver_control(ws, span_skip(piece, piece.n - ws->control_len), ret);
}

/* The last byte of the last frame of a message was taken. */
static enum wsrecv_verdict
deliver_message(struct wsrecv *ws, struct span payload, struct wsrecv_item *ret)
{
	ws->phase = PHASE_DELIVERED;
	ws->fragments = 0;
	*ret = (struct wsrecv_item){ payload, 0, "", ws->is_compressed };
	return ws->message_opcode == WS_TEXT ? WSRECV_TEXT : WSRECV_BINARY;
}

/* Takes a piece of a data frame, which is already unmasked. WSRECV_MORE: go on. */
static enum wsrecv_verdict
take_data(struct wsrecv *ws, struct span piece, struct wsrecv_item *ret)
{
	bool ends_frame = ws->frame_left == 0;
	bool ends_message = ends_frame && (ws->header[0] & BIT_FIN) != 0;

	/* Of a compressed message, what it says is looked at when it was inflated. */
	if (ws->message_opcode == WS_TEXT && !ws->is_compressed &&
	    (!utf8_feed(&ws->utf8, piece.p, piece.n) ||
		(ends_message && !utf8_is_complete(&ws->utf8))))
		return fail(ws, &text_not_utf8, ret);
	if (ends_frame) {
		ws->phase = PHASE_HEADER;
		ws->header_len = 0;
	}
	if (ends_message && ws->message.len == 0)
		return deliver_message(ws, piece, ret);
	buf_append_span(&ws->message, piece);
	if (buf_status(&ws->message) != 0)
		return fail(ws, &no_memory, ret);
	return ends_message ? deliver_message(ws, buf_span(&ws->message), ret) : WSRECV_MORE;
}

/* Lets go of the item that was delivered by the call before. */
static void
settle(struct wsrecv *ws)
{
	ws->message.len -= ws->control_len;
	ws->control_len = 0;
	if (ws->fragments == 0)
		buf_fini(&ws->message);
	ws->phase = PHASE_HEADER;
}

void
wsrecv_init(struct wsrecv *ws)
{
	*ws = (struct wsrecv){ 0 };
}

void
wsrecv_fini(struct wsrecv *ws)
{
	buf_fini(&ws->message);
	wsrecv_init(ws);
}

enum wsrecv_verdict
wsrecv_next(struct wsrecv *ws, const struct wsrecv_limits *limits, char *data, size_t len,
    size_t *ret_used, struct wsrecv_item *ret)
{
	enum wsrecv_verdict verdict = WSRECV_MORE;

	*ret_used = 0;
	if (ws->phase == PHASE_DELIVERED)
		settle(ws);
	if (ws->is_closed)
		*ret_used = len;
	while (verdict == WSRECV_MORE && *ret_used < len) {
		const struct fault *fault;
		char *piece;
		size_t n;

		if (ws->phase == PHASE_HEADER) {
			fault = read_header(ws, limits, data, len, ret_used);
			if (fault != NULL)
				return fail(ws, fault, ret);
			if (ws->phase == PHASE_HEADER || (ws->frame_left > 0 && *ret_used == len))
				break;
		}
		piece = data + *ret_used;
		n = (size_t)min_u64(ws->frame_left, len - *ret_used);
		unmask(ws, piece, n);
		*ret_used += n;
		ws->frame_left -= n;
		verdict = is_control(ws) ? take_control(ws, span_make(piece, n), ret)
					 : take_data(ws, span_make(piece, n), ret);
	}
	return verdict;
}

bool
wsrecv_is_idle(const struct wsrecv *ws)
{
	return ws->header_len == 0 && ws->fragments == 0;
}
