/*
 * The common case costs no copy: a frame that lies whole in what was received is handed on where it
 * lies. Only what is left at the end is kept.
 */
#include "wire.h"

#include "proto/frame.h"

enum { BIT_FIN = 0x80, BIT_RSV1 = 0x40, BITS_RSV23 = 0x30, BITS_OPCODE = 0x0f, BIT_MASK = 0x80 };

static void
take_control(uint8_t opcode, struct span payload, wire_message_fn on_message, void *owner)
{
	on_message(owner, &(struct wire_message){ payload, opcode, false });
}

static const char *
take_data(
    struct wire *w, uint8_t first, struct span payload, wire_message_fn on_message, void *owner)
{
	uint8_t opcode = first & BITS_OPCODE;
	bool is_last = (first & BIT_FIN) != 0;
	struct wire_message message;

	if ((opcode == WS_CONT) != (w->opcode != 0))
		return "a fragment without a beginning, or a message inside another";
	if (opcode != WS_CONT)
		w->is_compressed = (first & BIT_RSV1) != 0;
	message = (struct wire_message){ payload, opcode, w->is_compressed };
	if (opcode != WS_CONT && is_last) {
		on_message(owner, &message);
		return NULL;
	}
	if (opcode != WS_CONT)
		w->opcode = opcode;
	buf_append_span(&w->message, payload);
	if (buf_status(&w->message) != 0)
		return "out of memory";
	if (is_last) {
		message.payload = buf_span(&w->message);
		message.opcode = w->opcode;
		on_message(owner, &message);
		w->opcode = 0;
		buf_reset(&w->message);
	}
	return NULL;
}

/* Takes the frame at the beginning of *rest off it. *ret_whole says whether there was one. */
static const char *
take_frame(
    struct wire *w, struct span *rest, bool *ret_whole, wire_message_fn on_message, void *owner)
{
	size_t header = frame_payload_offset(*rest);
	uint64_t total = frame_total(*rest);
	uint8_t first;
	struct span payload;

	*ret_whole = header != 0 && total <= rest->n;
	if (rest->n >= 2 && ((uint8_t)rest->p[1] & BIT_MASK) != 0)
		return "a masked frame from the server";
	if (!*ret_whole)
		return NULL;
	first = (uint8_t)rest->p[0];
	payload = span_make(rest->p + header, (size_t)total - header);
	*rest = span_skip(*rest, (size_t)total);
	if ((first & BITS_RSV23) != 0)
		return "a reserved bit is set";
	if ((first & BITS_OPCODE) >= WS_CLOSE) {
		take_control(first & BITS_OPCODE, payload, on_message, owner);
		return NULL;
	}
	return take_data(w, first, payload, on_message, owner);
}

const char *
wire_take(struct wire *w, struct span received, wire_message_fn on_message, void *owner)
{
	bool is_kept = w->partial.len > 0, is_whole = true;
	const char *fault = NULL;
	struct span rest = received;

	if (is_kept) {
		buf_append_span(&w->partial, received);
		rest = buf_span(&w->partial);
	}
	while (fault == NULL && is_whole && rest.n > 0)
		fault = take_frame(w, &rest, &is_whole, on_message, owner);
	if (is_kept)
		buf_consume(&w->partial, w->partial.len - rest.n);
	else
		buf_append_span(&w->partial, rest);
	if (fault == NULL && buf_status(&w->partial) != 0)
		fault = "out of memory";
	return fault;
}

void
wire_fini(struct wire *w)
{
	buf_fini(&w->partial);
	buf_fini(&w->message);
}
