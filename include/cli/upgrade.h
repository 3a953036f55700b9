/*
 * The client's side of the WebSocket opening handshake (RFC 6455 section 4.1): a request written,
 * the answer's bytes judged. No I/O.
 */
#pragma once

#include <stddef.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/span.h"

enum {
	UPGRADE_KEY_LEN = 24,
	UPGRADE_HEAD_MAX = 16384, /* bytes of an answer's head; a longer one is no gateway's */
	UPGRADE_TEXT_MAX = 64,
};

struct endpoint;

/* One handshake: the key that the answer must prove to have read. */
struct upgrade {
	char key[UPGRADE_KEY_LEN + 1];
};

/* What the answer said, where it was not a WebSocket. */
struct upgrade_refusal {
	int status;		     /* 401; 0: the answer is no HTTP or breaks the handshake */
	size_t content_length;	     /* of the body behind the head; 0: not told */
	char text[UPGRADE_TEXT_MAX]; /* the reason phrase, or what is broken; printable */
};

enum upgrade_verdict {
	UPGRADE_PARTIAL, /* call again with the same bytes and more after them */
	UPGRADE_OPEN,	 /* frames begin after *ret_used bytes */
	UPGRADE_REFUSED, /* *ret_refusal says why; a body may begin after *ret_used bytes */
};

/*
 * Appends the request for the endpoint with a fresh key, offering the subprotocol lurkbot.v1. token
 * (NULL: none) goes into Authorization: Bearer, and must be upgrade_token_is_valid. 0; -ENOMEM; or
 * what random_bytes said.
 */
int upgrade_write(
    struct upgrade *ret, const struct endpoint *, const char *token, struct buf *out) must_check;

/* Judges the answer as far as it has arrived. */
enum upgrade_verdict upgrade_read(const struct upgrade *, struct span answer, size_t *ret_used,
    struct upgrade_refusal *ret_refusal);

/* Whether a token can stand in a header: 1 to 4096 visible ASCII characters. */
bool upgrade_token_is_valid(struct span token);
