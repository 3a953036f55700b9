/*
 * What a server sends, cut into WebSocket messages: unmasked frames in, whole messages out. Written
 * anew beside proto/wsrecv, which the gateway uses: the benchmark judges with other eyes, and looks
 * at no more of a frame than it needs, since it shares the machine with what it measures.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

struct wire {
	struct buf partial; /* the beginning of a frame whose end has not come */
	struct buf message; /* the fragments so far of a message */
	uint8_t opcode;	    /* of that message; 0: none has begun */
	bool is_compressed; /* whether its first frame had RSV1 set */
};

struct wire_message {
	struct span payload; /* valid during the call */
	uint8_t opcode;	     /* enum ws_opcode; never WS_CONT */
	bool is_compressed;
};

/* A message or a control frame came. */
typedef void (*wire_message_fn)(void *owner, const struct wire_message *message);

/*
 * Takes what was received and calls on_message for all that has become whole. Returns NULL, or what
 * is wrong with the bytes as a static sentence; nothing more may be taken after that.
 */
const char *wire_take(
    struct wire *wire, struct span received, wire_message_fn on_message, void *owner);

/* Frees the buffers; the struct may be used again. */
void wire_fini(struct wire *wire);
