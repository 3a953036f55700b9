/*
 * The receiving half of a WebSocket connection (RFC 6455 sections 5 and 8.1): bytes of one peer
 * in, messages and control frames out. For a server (masked frames required) and for a client
 * (unmasked ones required).
 *
 * All bytes that are given are consumed, however they are cut: a connection keeps no unread
 * input. What has arrived of an unfinished message or control frame is collected in heap memory
 * that grows with what was received, never with what was announced, and is given back when the
 * item was delivered. A whole unfragmented message inside the given bytes is unmasked in place
 * and delivered without a copy. Faults are told as soon as the field that proves them is
 * there, not at the end of the frame, and do not depend on how the bytes were cut.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "proto/frame.h"
#include "proto/utf8.h"

/* Bounds; they may differ from call to call, and hold for frames that begin afterwards. */
struct wsrecv_limits {
	uint64_t max_message; /* bytes of a message's payload as it comes, all fragments together */
	uint32_t max_fragments; /* frames of a message; one frame is always allowed */
	bool allow_binary;	/* else a binary message fails with 1003 at its first byte */
	bool allow_compressed;	/* permessage-deflate was negotiated: RSV1 may be set */
	bool expect_masked;	/* true: the peer is a client */
};

/*
 * The state of one connection's input. Fields belong to wsrecv.c.
 *
 *   message.data   | payload of the message so far | payload of a control frame in between |
 *                  0 ........ len - control_len .............................. len
 */
struct wsrecv {
	struct buf message;
	uint64_t frame_left;	/* payload bytes of the current frame still to come */
	uint32_t fragments;	/* frames of the message begun so far; 0: no message begun */
	struct utf8 utf8;	/* of the text message so far */
	uint8_t message_opcode; /* WS_TEXT or WS_BINARY while fragments > 0 */
	uint8_t control_len;	/* bytes at the end of message that belong to a control frame */
	uint8_t phase;		/* enum phase in wsrecv.c */
	bool is_closed;		/* CLOSE or FAIL was told: what comes is discarded */
	bool is_compressed;	/* the message is, while fragments > 0 */
	uint8_t header_len;	/* bytes of the current frame's header so far */
	uint8_t header[FRAME_HEADER_MAX]; /* once whole, its last 4 are the key, rotated */
};

_Static_assert(sizeof(struct wsrecv) <= 96, "an idle connection must stay small");

enum wsrecv_verdict {
	WSRECV_MORE,   /* all is consumed; come back with more bytes */
	WSRECV_TEXT,   /* a text message; payload is valid UTF-8, unless compressed */
	WSRECV_BINARY, /* a binary message */
	WSRECV_PING,   /* answer with a pong of the same payload */
	WSRECV_PONG,
	WSRECV_CLOSE, /* the peer's close frame: its code, its reason as payload */
	WSRECV_FAIL,  /* the peer broke the rules, or no memory: close with code and reason */
};

/*
 * payload is never NULL; it is valid until the next call or wsrecv_fini, and only while the given
 * bytes are. code is what a close frame said, 1005 when nothing; with FAIL 1002, 1003, 1007, 1009
 * or 1011; else 0. reason is a static sentence of at most 123 bytes with FAIL; else "".
 */
struct wsrecv_item {
	struct span payload;
	uint16_t code;
	const char *reason;
	bool is_compressed; /* of a message: payload is to be inflated, and then judged as text */
};

/* Begins a connection. Allocates nothing; an all-zero struct is begun already. */
void wsrecv_init(struct wsrecv *ws);

/* Gives back all memory. The struct may be begun again. */
void wsrecv_fini(struct wsrecv *ws);

/*
 * Takes bytes of the peer, in order and each once, and returns the next item. data is written to:
 * payloads are unmasked in place. *ret_used is always set: the caller calls again with the bytes
 * after it, until WSRECV_MORE, which consumes all. That last call is due also when nothing is
 * left (data may then be NULL): it gives back the memory of the item before it. *ret is filled
 * for every verdict but WSRECV_MORE. After CLOSE and FAIL all further bytes are consumed unread,
 * with WSRECV_MORE.
 */
enum wsrecv_verdict wsrecv_next(struct wsrecv *ws, const struct wsrecv_limits *limits, char *data,
    size_t len, size_t *ret_used, struct wsrecv_item *ret);

/* Whether no frame and no message is half received. */
bool wsrecv_is_idle(const struct wsrecv *ws);
