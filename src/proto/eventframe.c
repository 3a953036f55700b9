/*
 * Every event that is published passes here, so the length is computed first, the memory is asked
 * for once, and the pieces are put one behind the other without further questions.
 */
#include "proto/eventframe.h"

#include <errno.h>
#include <string.h>

#include "base/digits.h"
#include "base/text.h"
#include "proto/frame.h"

static const struct span id_intro = SPAN_INIT("{\"id\":\"evt_");
static const struct span seq_intro = SPAN_INIT("\",\"type\":\"event\",\"seq\":");
static const struct span at_intro = SPAN_INIT(",\"at\":");
static const struct span event_intro = SPAN_INIT(",\"event\":\"");
static const struct span event_end = SPAN_INIT("\"");
static const struct span payload_intro = SPAN_INIT(",\"payload\":");
static const struct span key_intro = SPAN_INIT(",\"sessionKey\":\"");
static const struct span key_end = SPAN_INIT("\"");
static const struct span end = SPAN_INIT("}");

static inline char *
put(char *at, struct span piece)
{
	memcpy(at, piece.p, piece.n);
	return at + piece.n;
}

/* How long the text becomes when it is escaped. */
static size_t
escaped_length(struct span text)
{
	size_t length = 0;

	while (text.n > 0) {
		char piece[TEXT_JSON_PIECE_MAX];

		length += text_json_piece(&text, piece);
	}
	return length;
}

/* Escapes the text but for its first plain bytes, which are known to stand for themselves. */
static char *
put_escaped(char *at, struct span text, size_t plain)
{
	at = put(at, span_make(text.p, plain));
	text = span_skip(text, plain);
	while (text.n > 0) {
		char piece[TEXT_JSON_PIECE_MAX];

		at = put(at, span_make(piece, text_json_piece(&text, piece)));
	}
	return at;
}

/* The places of the numbers, as far as their widths go; offsets follow while writing. */
static void
measure(struct eventframe *frame, uint64_t seq, uint64_t at_ms)
{
	unsigned id_width = digits_hex_width(seq);

	frame->id.width = id_width > EVENTFRAME_ID_WIDTH ? id_width : EVENTFRAME_ID_WIDTH;
	frame->seq.width = digits_decimal_width(seq);
	frame->at.width = digits_decimal_width(at_ms);
}

/* Bytes of the JSON text; key_length is that of the escaped key. */
static size_t
text_length(
    const struct eventframe *frame, struct span event, struct span payload, size_t key_length)
{
	size_t length = id_intro.n + frame->id.width + seq_intro.n + frame->seq.width + at_intro.n +
			frame->at.width + event_intro.n + event.n + event_end.n + end.n;

	if (payload.n > 0)
		length += payload_intro.n + payload.n;
	if (key_length > 0)
		length += key_intro.n + key_length + key_end.n;
	return length;
}

/* Leaves the place of a number free. */
static char *
skip_digits(char *at, const char *begin, struct eventframe_digits *digits)
{
	digits->offset = (uint32_t)(at - begin);
	return at + digits->width;
}

static void
put_numbers(struct eventframe *frame, uint64_t seq, uint64_t at_ms)
{
	char *begin = frame->bytes.data;

	digits_put_hex(begin + frame->id.offset, frame->id.width, seq);
	digits_put_decimal(begin + frame->seq.offset, frame->seq.width, seq);
	digits_put_decimal(begin + frame->at.offset, frame->at.width, at_ms);
}

int
eventframe_build(struct eventframe *frame, uint64_t seq, uint64_t at_ms, struct span event,
    struct span payload, struct span session_key)
{
	size_t plain = text_json_plain(session_key);
	size_t key_length = plain + escaped_length(span_skip(session_key, plain));
	uint8_t header[FRAME_HEADER_MAX];
	size_t length, header_size;
	char *begin, *at;

	measure(frame, seq, at_ms);
	length = text_length(frame, event, payload, key_length);
	buf_reset(&frame->bytes);
	/* Offsets and the ring's lengths have 32 bits. */
	if (length > UINT32_MAX - sizeof(header))
		return -EMSGSIZE;
	if (!buf_reserve(&frame->bytes, length + frame_header_size(length)))
		return buf_status(&frame->bytes);
	header_size = frame_header_write(header, WS_TEXT, true, length, NULL);
	begin = frame->bytes.data;
	at = put(begin, span_make((const char *)header, header_size));
	at = skip_digits(put(at, id_intro), begin, &frame->id);
	at = skip_digits(put(at, seq_intro), begin, &frame->seq);
	at = skip_digits(put(at, at_intro), begin, &frame->at);
	at = put(put(put(at, event_intro), event), event_end);
	if (payload.n > 0)
		at = put(put(at, payload_intro), payload);
	if (key_length > 0)
		at = put(put_escaped(put(at, key_intro), session_key, plain), key_end);
	at = put(at, end);
	frame->bytes.len = (size_t)(at - begin);
	put_numbers(frame, seq, at_ms);
	return 0;
}

int
eventframe_set(struct eventframe *frame, uint64_t seq, uint64_t at_ms)
{
	struct eventframe needed = { 0 };

	measure(&needed, seq, at_ms);
	if (needed.id.width != frame->id.width || needed.seq.width != frame->seq.width ||
	    needed.at.width != frame->at.width)
		return -ERANGE;
	put_numbers(frame, seq, at_ms);
	return 0;
}

void
eventframe_fini(struct eventframe *frame)
{
	buf_fini(&frame->bytes);
	*frame = (struct eventframe){ 0 };
}
