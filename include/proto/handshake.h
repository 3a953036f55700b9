/*
 * The server's side of the opening handshake (RFC 6455 section 4.2).
 *
 * Takes a head that http_head_parse accepted and says whether the client asks for a WebSocket,
 * and whether it asks correctly. Which path serves one, and who may come in, is decided above.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"
#include "proto/extensions.h"
#include "proto/http.h"

enum { HANDSHAKE_ACCEPT_LEN = 28 };

/* A handshake that was accepted. The spans point into the request's bytes. */
struct handshake {
	struct span key;		 /* Sec-WebSocket-Key: 24 characters of base64 */
	bool wants_lurkbot_v1;		 /* Sec-WebSocket-Protocol offers "lurkbot.v1" */
	enum extensions_deflate deflate; /* what Sec-WebSocket-Extensions offers of it */
};

enum handshake_verdict {
	HANDSHAKE_UPGRADE, /* a correct handshake */
	HANDSHAKE_PLAIN,   /* no WebSocket asked for: an ordinary request */
	HANDSHAKE_BAD,	   /* a WebSocket asked for, but wrongly: answer with the fault */
};

/*
 * Looks at a request head. Upgrade in an HTTP/1.0 request, or to another protocol, is ignored as
 * RFC 9110 section 7.8 demands: HANDSHAKE_PLAIN. HANDSHAKE_UPGRADE fills *ret. HANDSHAKE_BAD
 * fills *ret_fault: 405 (not GET), 426 (another version; carries Sec-WebSocket-Version: 13 as in
 * RFC 6455 section 4.4) or 400. What does not belong to the verdict is left untouched.
 */
enum handshake_verdict handshake_check(
    const struct http_head *head, struct handshake *ret, struct http_fault *ret_fault);

/*
 * Appends the 101 response of RFC 6455 section 4.2.2. subprotocol is the one selected, or NULL;
 * it must be one that the client offered. handshake->deflate is confirmed; a server that wants none sets it
 * to EXTENSIONS_NONE. Failure, of memory or of the digest, shows in
 * buf_status(out).
 */
void handshake_accept_write(
    struct buf *out, const struct handshake *handshake, const char *subprotocol);

/*
 * The Sec-WebSocket-Accept value for a key: base64 of the SHA-1 of the key and the RFC's GUID;
 * terminated. For clients too, which compare it. Returns 0, or -ENOMEM when the digest failed,
 * and then ret is the empty string, which no answer equals.
 */
int handshake_accept_key(struct span key, char ret[HANDSHAKE_ACCEPT_LEN + 1]);
