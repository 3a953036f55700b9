/*
 * The server's side of the opening handshake. All that RFC 6455 section 4.2.1 asks of the client
 * is checked here, in the order in which the answers are most useful: method, fields of the
 * upgrade, version, key, and then the lists.
 */
#include "proto/handshake.h"

#include <errno.h>
#include <string.h>

#include <openssl/evp.h>

enum {
	KEY_CHARS = 22, /* 16 bytes in base64, and then "==" */
	SHA1_LEN = 20,
};

static const char version_lines[] = "Sec-WebSocket-Version: 13\r\n";

/* RFC 9110 section 15.5.22: 426 names the protocol, and Connection has to name Upgrade. */
static const char upgrade_lines[] = "Upgrade: websocket\r\n"
				    "Connection: Upgrade\r\n"
				    "Sec-WebSocket-Version: 13\r\n";

static enum handshake_verdict
bad(struct http_fault *ret, int status, const char *text, const char *header_lines)
{
	*ret = (struct http_fault){ status, text, header_lines };
	return HANDSHAKE_BAD;
}

/* The value of a field that must be there once; n is 0 when it is absent, or there twice. */
static struct span
only_value(const struct http_head *head, const char *name)
{
	if (http_head_count(head, name) != 1)
		return SPAN("");
	return http_head_find(head, name)->value;
}

static bool
is_base64(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '+' || c == '/';
}

/* Whether key is the base64 of 16 bytes. */
static bool
key_is_valid(struct span key)
{
	if (key.n != KEY_CHARS + 2 || !span_is_equal(span_skip(key, KEY_CHARS), SPAN("==")))
		return false;
	for (size_t i = 0; i < KEY_CHARS; i++)
		if (!is_base64(key.p[i]))
			return false;
	return true;
}

/* Looks through all offered subprotocols (RFC 6455 section 11.3.4); false when one is no token. */
static bool
read_subprotocols(const struct http_head *head, bool *ret_wants_lurkbot_v1)
{
	for (unsigned i = 0; i < head->header_count; i++) {
		struct span list = head->headers[i].value, element;

		if (!span_is_equal_nocase(head->headers[i].name, SPAN("Sec-WebSocket-Protocol")))
			continue;
		while (http_list_next(&list, &element)) {
			if (!http_is_token(element))
				return false;
			if (span_is(element, "lurkbot.v1"))
				*ret_wants_lurkbot_v1 = true;
		}
	}
	return true;
}

/* Reads every extension field, and the offers in the order in which they stand. */
static bool
read_extensions(const struct http_head *head, enum extensions_deflate *ret)
{
	struct span name = SPAN("Sec-WebSocket-Extensions");

	for (unsigned i = 0; i < head->header_count; i++)
		if (span_is_equal_nocase(head->headers[i].name, name) &&
		    !extensions_read(head->headers[i].value, ret))
			return false;
	return true;
}

enum handshake_verdict
handshake_check(const struct http_head *head, struct handshake *ret, struct http_fault *ret_fault)
{
	struct handshake handshake = { 0 };
	struct span version = only_value(head, "Sec-WebSocket-Version");

	if (head->minor == 0 || !http_head_has_token(head, "Upgrade", "websocket"))
		return HANDSHAKE_PLAIN;
	if (!span_is(head->method, "GET"))
		return bad(ret_fault, 405, "A WebSocket is opened with GET.", "Allow: GET\r\n");
	if (!http_head_has_token(head, "Connection", "Upgrade"))
		return bad(ret_fault, 400, "An upgrade needs the field Connection: Upgrade.", "");
	if (head->has_body)
		return bad(ret_fault, 400, "A WebSocket handshake has no body.", "");
	if (version.n == 0)
		return bad(ret_fault, 400,
		    "A WebSocket handshake needs exactly one Sec-WebSocket-Version.",
		    version_lines);
	if (!span_is(version, "13"))
		return bad(
		    ret_fault, 426, "The WebSocket version spoken here is 13.", upgrade_lines);
	handshake.key = only_value(head, "Sec-WebSocket-Key");
	if (!key_is_valid(handshake.key))
		return bad(ret_fault, 400,
		    "A WebSocket handshake needs exactly one Sec-WebSocket-Key: 16 bytes in "
		    "base64.",
		    "");
	if (!read_subprotocols(head, &handshake.wants_lurkbot_v1))
		return bad(ret_fault, 400, "Sec-WebSocket-Protocol must be a list of names.", "");
	if (!read_extensions(head, &handshake.deflate))
		return bad(ret_fault, 400, "Sec-WebSocket-Extensions is malformed.", "");
	*ret = handshake;
	return HANDSHAKE_UPGRADE;
}

int
handshake_accept_key(struct span key, char ret[HANDSHAKE_ACCEPT_LEN + 1])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	char text[KEY_CHARS + 2 + sizeof(guid)];
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned digest_len = 0;

	ret[0] = '\0';
	if (key.n != KEY_CHARS + 2)
		return -EINVAL;
	memcpy(text, key.p, key.n);
	memcpy(text + key.n, guid, sizeof(guid));
	if (EVP_Digest(text, sizeof(text) - 1, digest, &digest_len, EVP_sha1(), NULL) != 1 ||
	    digest_len != SHA1_LEN)
		return -ENOMEM;
	(void)EVP_EncodeBlock((unsigned char *)ret, digest, SHA1_LEN);
	return 0;
}

void
handshake_accept_write(struct buf *out, const struct handshake *handshake, const char *subprotocol)
{
	char accept[HANDSHAKE_ACCEPT_LEN + 1];

	if (handshake_accept_key(handshake->key, accept) != 0) {
		out->failed = true;
		return;
	}
	buf_printf(out,
	    "HTTP/1.1 101 Switching Protocols\r\n"
	    "Upgrade: websocket\r\n"
	    "Connection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: %s\r\n",
	    accept);
	if (subprotocol != NULL)
		buf_printf(out, "Sec-WebSocket-Protocol: %s\r\n", subprotocol);
	if (handshake->deflate != EXTENSIONS_NONE)
		buf_printf(
		    out, "Sec-WebSocket-Extensions: %s\r\n", extensions_answer(handshake->deflate));
	buf_append_cstr(out, "\r\n");
}
