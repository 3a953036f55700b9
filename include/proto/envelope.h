/*
 * The envelope of a client's frame: which type, which id, and where its parts are.
 *
 * One strict pass (proto/json.h) over the text; short fields are decoded into the struct itself,
 * large ones stay spans of the frame. Nothing is allocated.
 */
#pragma once

#include <stdint.h>

#include "base/macros.h"
#include "base/span.h"
#include "proto/envelope_fault.h"
#include "proto/json.h"

enum {
	ENVELOPE_ID_MAX = 128,
	ENVELOPE_METHOD_MAX = 128,
	ENVELOPE_SESSION_KEY_MAX = 256,
	ENVELOPE_IDEMPOTENCY_KEY_MAX = 128,
	ENVELOPE_TIMEOUT_MS_MAX = 600000,
	ENVELOPE_TIMEOUT_MS_DEFAULT = 30000,
};

enum envelope_type {
	ENVELOPE_UNKNOWN = 0,
	ENVELOPE_HELLO,
	ENVELOPE_REQUEST,
	ENVELOPE_RESPONSE,
	ENVELOPE_PROGRESS,
	ENVELOPE_CANCEL,
};

/*
 * One parsed frame. The spans id, method, session_key and idempotency_key point into the struct's
 * own stores: do not copy or move a struct envelope. params, payload, result and error point into
 * the text that was parsed and live as long as that; each is JSON_ABSENT when absent, and null
 * counts as absent but for result and payload, where a null is kept as JSON_NULL.
 * What belongs to other types than the frame's own is absent, whatever the frame said.
 */
struct envelope {
	enum envelope_type type;
	uint32_t timeout_ms;	     /* request: ENVELOPE_TIMEOUT_MS_DEFAULT when absent */
	struct span id;		     /* decoded; n == 0: none that is usable */
	struct span method;	     /* request: decoded, a valid name */
	struct span session_key;     /* request: decoded; n == 0: absent */
	struct span idempotency_key; /* request: decoded; n == 0: absent */
	struct json_value params;    /* request: object or absent */
	struct json_value payload;   /* progress: anything */
	struct json_value result;    /* response: anything; at most one of result and error */
	struct json_value error;     /* response: object or absent */
	char id_store[ENVELOPE_ID_MAX];
	char method_store[ENVELOPE_METHOD_MAX];
	char session_key_store[ENVELOPE_SESSION_KEY_MAX];
	char idempotency_key_store[ENVELOPE_IDEMPOTENCY_KEY_MAX];
};

/* Makes everything absent but the type, which is unknown; a request that is put together otherwise begins so. */
void envelope_init(struct envelope *envelope);

/*
 * Reads one frame. A hello is recognised only (hello_parse reads it), and needs no id; every other
 * type must have one. Unknown fields are ignored.
 *
 * Returns 0 and fills *ret; or -EBADMSG and says in *ret_fault what is wrong. On failure ret->id is
 * the frame's id where it had a usable one (1 to ENVELOPE_ID_MAX bytes, not given twice) and empty
 * otherwise, ret->type is the type as far as it was read, and the rest of *ret means nothing.
 */
int envelope_parse(
    struct span text, struct envelope *ret, struct envelope_fault *ret_fault) must_check;
