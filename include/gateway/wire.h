/*
 * The forms in which events go over the wire.  Whoever is sent the same events in the same form shares the
 * bytes.
 */
#pragma once

enum wire_form {
	WIRE_PLAIN,    /* WebSocket frames, as the ring has them */
	WIRE_DEFLATED, /* the same, compressed where that is shorter */
	WIRE_SSE,      /* Server-Sent Events, see proto/sse */
	WIRE_FORMS
};
