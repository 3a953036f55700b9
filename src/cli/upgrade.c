/*
 * The answer is read as strictly as a client must (RFC 6455 section 4.1, the numbered list at its
 * end): 101, both header fields, the right accept key, no extension and no subprotocol that was not
 * offered.
 */
#include "cli/upgrade.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "base/parse.h"
#include "base/random.h"
#include "cli/endpoint.h"
#include "proto/handshake.h"
#include "proto/http.h"

#define SUBPROTOCOL "lurkbot.v1"

enum { KEY_BYTES = 16, TOKEN_MAX = 4096, STATUS_LINE_MIN = 12 };

/* What is needed of an answer's header fields. */
struct fields {
	bool upgrades, connects, accepts, has_extensions;
	bool has_subprotocol, subprotocol_is_ours;
	size_t content_length;
};

bool
upgrade_token_is_valid(struct span token)
{
	for (size_t i = 0; i < token.n; i++) {
		if (token.p[i] < 0x21 || token.p[i] > 0x7e)
			return false;
	}
	return token.n > 0 && token.n <= TOKEN_MAX;
}

int
upgrade_write(
    struct upgrade *ret, const struct endpoint *endpoint, const char *token, struct buf *out)
{
	unsigned char bytes[KEY_BYTES];
	int rc = random_bytes(bytes, sizeof(bytes));

	if (rc != 0)
		return rc;
	EVP_EncodeBlock((unsigned char *)ret->key, bytes, sizeof(bytes));
	buf_printf(out,
	    "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n"
	    "Sec-WebSocket-Protocol: " SUBPROTOCOL "\r\n",
	    endpoint->target, endpoint->authority, ret->key);
	if (token != NULL)
		buf_printf(out, "Authorization: Bearer %s\r\n", token);
	buf_append_cstr(out, "\r\n");
	return buf_status(out);
}

static void
read_field(const struct upgrade *upgrade, struct span name, struct span value, struct fields *f)
{
	char accept[HANDSHAKE_ACCEPT_LEN + 1];
	uint64_t length;

	if (span_is_equal_nocase(name, SPAN("Upgrade"))) {
		f->upgrades |= http_header_has_token(value, "websocket");
	} else if (span_is_equal_nocase(name, SPAN("Connection"))) {
		f->connects |= http_header_has_token(value, "upgrade");
	} else if (span_is_equal_nocase(name, SPAN("Sec-WebSocket-Accept"))) {
		f->accepts = handshake_accept_key(span_cstr(upgrade->key), accept) == 0 &&
			     span_is(value, accept);
	} else if (span_is_equal_nocase(name, SPAN("Sec-WebSocket-Extensions"))) {
		f->has_extensions = true;
	} else if (span_is_equal_nocase(name, SPAN("Sec-WebSocket-Protocol"))) {
		f->has_subprotocol = true;
		f->subprotocol_is_ours = span_is(value, SUBPROTOCOL);
	} else if (span_is_equal_nocase(name, SPAN("Content-Length"))) {
		if (parse_u64(value, UPGRADE_HEAD_MAX, &length) == 0)
			f->content_length = length;
	}
}

/* Takes the next line off the head, without its CRLF. */
static struct span
next_line(struct span *head)
{
	const char *end = memmem(head->p, head->n, "\r\n", 2);
	size_t n = end != NULL ? (size_t)(end - head->p) : head->n;
	struct span line = span_make(head->p, n);

	*head = span_skip(*head, end != NULL ? n + 2 : n);
	return line;
}

static void
read_fields(const struct upgrade *upgrade, struct span head, struct fields *ret)
{
	*ret = (struct fields){ 0 };
	while (head.n > 0) {
		struct span line = next_line(&head);
		const char *colon = line.n > 0 ? memchr(line.p, ':', line.n) : NULL;
		size_t n = colon != NULL ? (size_t)(colon - line.p) : 0;

		if (n > 0)
			read_field(
			    upgrade, span_make(line.p, n), span_trim(span_skip(line, n + 1)), ret);
	}
}

/* The status of "HTTP/1.1 401 Unauthorized", and its phrase; 0: it is no status line. */
static int
read_status(struct span line, char ret_text[UPGRADE_TEXT_MAX])
{
	uint64_t status;
	size_t n = 0;

	if (!span_has_prefix(line, SPAN("HTTP/1.")) || line.n < STATUS_LINE_MIN ||
	    line.p[8] != ' ' || parse_u64(span_make(line.p + 9, 3), 999, &status) != 0)
		return 0;
	line = span_trim(span_skip(line, STATUS_LINE_MIN));
	for (size_t i = 0; i < line.n && n + 1 < UPGRADE_TEXT_MAX; i++) {
		if (line.p[i] >= 0x20 && line.p[i] < 0x7f)
			ret_text[n++] = line.p[i];
	}
	ret_text[n] = '\0';
	return (int)status;
}

/* What is wrong with an answer that has status 101; NULL: nothing. */
static const char *
find_fault(const struct fields *f)
{
	if (!f->upgrades || !f->connects)
		return "its answer does not upgrade to websocket";
	if (!f->accepts)
		return "its answer has the wrong Sec-WebSocket-Accept";
	if (f->has_extensions)
		return "it uses an extension that was not offered";
	if (f->has_subprotocol && !f->subprotocol_is_ours)
		return "it chose a subprotocol that was not offered";
	return NULL;
}

static enum upgrade_verdict
refuse(struct upgrade_refusal *ret, const char *fault)
{
	ret->status = 0;
	snprintf(ret->text, sizeof(ret->text), "%s", fault);
	return UPGRADE_REFUSED;
}

enum upgrade_verdict
upgrade_read(const struct upgrade *upgrade, struct span answer, size_t *ret_used,
    struct upgrade_refusal *ret_refusal)
{
	const char *end = answer.n > 0 ? memmem(answer.p, answer.n, "\r\n\r\n", 4) : NULL;
	struct fields fields;
	const char *fault;
	struct span head;

	*ret_refusal = (struct upgrade_refusal){ 0 };
	*ret_used = 0;
	if (end == NULL && answer.n < UPGRADE_HEAD_MAX)
		return UPGRADE_PARTIAL;
	if (end == NULL)
		return refuse(ret_refusal, "its answer does not end");
	*ret_used = (size_t)(end - answer.p) + 4;
	head = span_make(answer.p, *ret_used - 2);
	ret_refusal->status = read_status(next_line(&head), ret_refusal->text);
	if (ret_refusal->status == 0)
		return refuse(ret_refusal, "its answer is not HTTP");
	read_fields(upgrade, head, &fields);
	ret_refusal->content_length = fields.content_length;
	if (ret_refusal->status != 101)
		return UPGRADE_REFUSED;
	fault = find_fault(&fields);
	return fault == NULL ? UPGRADE_OPEN : refuse(ret_refusal, fault);
}
