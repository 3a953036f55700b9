/*
 * The lists of Sec-WebSocket-Extensions (RFC 6455 section 9.1), and what of them is permessage-deflate
 * (RFC 7692 section 7.1).
 */
#pragma once

#include <stdbool.h>

#include "base/span.h"

/* What was found of permessage-deflate. */
enum extensions_deflate {
	EXTENSIONS_NONE,    /* not offered, or no offer that can be taken */
	EXTENSIONS_DEFLATE, /* an offer that is taken */
	EXTENSIONS_DEFLATE_15, /* the same, and it names server_max_window_bits=15, which is to be confirmed */
};

/*
 * Reads the value of one field. False: it is no extension list, and the handshake fails; nothing was set. Else,
 * where *deflate is EXTENSIONS_NONE, it becomes what the first offer makes it that can be taken: one without
 * unknown parameters, without any twice, with values as RFC 7692 has them, and without server_max_window_bits
 * below 15.
 */
bool extensions_read(struct span list, enum extensions_deflate *deflate);

/* The answer: the value of the server's Sec-WebSocket-Extensions; NULL for EXTENSIONS_NONE. */
const char *extensions_answer(enum extensions_deflate deflate);
