/*
 * Frames received, and answered. Beside crashes, what must hold for any bytes: fed whole, byte by
 * byte, and in pieces, the same items come out; and a peer that answers each of them (a pong for a
 * ping, a close for a close or a fault, a message for a message) says nothing but what the other
 * side's receiver hears.
 *
 * The first byte sets the limits and the size of the pieces; the rest is the peer's.
 */
#include "base/buf.h"
#include "fuzz.h"
#include "proto/wsrecv.h"

/* What a peer answers, and what the other side ought to hear of it. */
struct talk {
	struct buf answers, should;
	bool is_client;
};

static void
note(struct buf *out, enum wsrecv_verdict verdict, const struct wsrecv_item *item)
{
	bool is_text = (verdict == WSRECV_TEXT && !item->is_compressed) || verdict == WSRECV_CLOSE;

	must(item->payload.p != NULL);
	must(!is_text || utf8_is_valid(item->payload));
	must(verdict != WSRECV_CLOSE || item->code == WS_CLOSE_NO_STATUS ||
	     frame_close_code_is_valid(item->code));
	must(verdict != WSRECV_FAIL || frame_close_code_is_valid(item->code));
	must(!item->is_compressed || verdict == WSRECV_TEXT || verdict == WSRECV_BINARY);
	buf_printf(
	    out, "%d %u %d %zu ", (int)verdict, item->code, item->is_compressed, item->payload.n);
	buf_append_span(out, item->payload);
}

/* --- the peer that answers ---------------------------------------------------------------- */

static void
say(struct talk *talk, enum ws_opcode opcode, struct span payload)
{
	static const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };

	if (talk->is_client)
		frame_append_masked(&talk->answers, opcode, payload, mask);
	else
		frame_append(&talk->answers, opcode, payload);
}

/* As it came: what is compressed is none of the receiver's business. */
static void
say_message(struct talk *talk, enum ws_opcode opcode, const struct wsrecv_item *item)
{
	size_t at = talk->answers.len;

	say(talk, opcode, item->payload);
	if (item->is_compressed && talk->answers.len > at)
		talk->answers.data[at] = (char)(talk->answers.data[at] | FRAME_RSV1);
}

static void
say_close(struct talk *talk, uint16_t code, struct span reason)
{
	struct buf frame = { 0 };
	struct span whole;

	frame_append_close(&frame, code, reason);
	whole = buf_span(&frame);
	must(frame_total(whole) == whole.n);
	say(talk, WS_CLOSE, span_skip(whole, frame_payload_offset(whole)));
	buf_fini(&frame);
}

static void
answer(struct talk *talk, enum wsrecv_verdict verdict, const struct wsrecv_item *item)
{
	struct wsrecv_item echo = *item;

	switch (verdict) {
	case WSRECV_MORE:
	case WSRECV_PONG:
		return;
	case WSRECV_PING:
		verdict = WSRECV_PONG;
		say(talk, WS_PONG, echo.payload);
		break;
	case WSRECV_TEXT:
		say_message(talk, WS_TEXT, item);
		break;
	case WSRECV_BINARY:
		say_message(talk, WS_BINARY, item);
		break;
	case WSRECV_FAIL:
		verdict = WSRECV_CLOSE;
		echo.payload = span_cstr(item->reason);
		say_close(talk, echo.code, echo.payload);
		break;
	case WSRECV_CLOSE:
		say_close(talk, echo.code, echo.payload);
		break;
	}
	note(&talk->should, verdict, &echo);
}

/* --- receiving ---------------------------------------------------------------------------- */

/* All items that come out of one piece are written down and, with a talk, answered. */
static void
take_piece(struct wsrecv *ws, const struct wsrecv_limits *limits, struct span piece,
    struct buf *out, struct talk *talk)
{
	char *data = block_copy(piece.p, piece.n);
	enum wsrecv_verdict verdict;
	struct wsrecv_item item;
	size_t done = 0, used;

	do {
		verdict = wsrecv_next(ws, limits, data + done, piece.n - done, &used, &item);
		done += used;
		must(done <= piece.n);
		if (verdict == WSRECV_MORE)
			continue;
		note(out, verdict, &item);
		if (talk != NULL)
			answer(talk, verdict, &item);
	} while (verdict != WSRECV_MORE);
	must(done == piece.n);
	must(!wsrecv_is_idle(ws) || ws->message.data == NULL);
	free(data);
}

/* Writes down all that comes out of the bytes fed in pieces of that size. */
static void
run(const struct wsrecv_limits *limits, struct span input, size_t piece_size, struct buf *out,
    struct talk *talk)
{
	struct wsrecv ws;

	wsrecv_init(&ws);
	for (size_t at = 0; at < input.n; at += piece_size) {
		size_t n = input.n - at < piece_size ? input.n - at : piece_size;

		take_piece(&ws, limits, span_make(input.p + at, n), out, talk);
	}
	wsrecv_fini(&ws);
}

/* The other side hears all that was said, and finds no fault with it. */
static void
check_talk(const struct wsrecv_limits *limits, size_t piece_size, const struct talk *talk)
{
	struct wsrecv_limits other = *limits;
	struct buf heard = { 0 };

	other.expect_masked = !limits->expect_masked;
	run(&other, buf_span(&talk->answers), piece_size, &heard, NULL);
	must(span_is_equal(buf_span(&heard), buf_span(&talk->should)));
	buf_fini(&heard);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct wsrecv_limits limits;
	struct buf whole = { 0 }, single = { 0 }, pieces = { 0 };
	struct talk talk = { 0 };
	struct span input;
	size_t piece_size;

	if (n < 2)
		return 0;
	limits = (struct wsrecv_limits){ .max_message = 300,
		.max_fragments = 3,
		.allow_binary = (bytes[0] & 1) != 0,
		.allow_compressed = (bytes[0] & 0x80) != 0,
		.expect_masked = (bytes[0] & 2) != 0 };
	talk.is_client = !limits.expect_masked;
	piece_size = 2U + ((bytes[0] & 0x7f) >> 2);
	input = span_make((const char *)bytes + 1, n - 1);
	run(&limits, input, input.n, &whole, &talk);
	run(&limits, input, 1, &single, NULL);
	run(&limits, input, piece_size, &pieces, NULL);
	must(span_is_equal(buf_span(&whole), buf_span(&single)));
	must(span_is_equal(buf_span(&whole), buf_span(&pieces)));
	check_talk(&limits, piece_size, &talk);
	buf_fini(&whole);
	buf_fini(&single);
	buf_fini(&pieces);
	buf_fini(&talk.answers);
	buf_fini(&talk.should);
	return 0;
}
