/*
 * Input is read in large pieces into one buffer and given to wsrecv, whose messages may point into
 * that buffer; so it is only emptied when all of it has been used and the next read is due.
 */
#include "cli/client.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/random.h"
#include "cli/endpoint.h"
#include "cli/refusal.h"
#include "cli/upgrade.h"
#include "proto/frame.h"

enum { READ_BYTES = STREAM_READ_MIN, FAREWELL_MS = 1000 };

static const struct wsrecv_limits limits = {
	.max_message = UINT64_C(1) << 30,
	.max_fragments = UINT32_MAX,
};

void
client_init(struct client *c)
{
	*c = (struct client){ .stream = { .fd = -1 } };
	wsrecv_init(&c->recv);
}

void
client_say(struct client *c, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(c->why, sizeof(c->why), fmt, args);
	va_end(args);
}

static enum cli_status
fail_memory(struct client *c)
{
	client_say(c, "out of memory");
	return CLI_FAILED;
}

/* Sends all bytes, waiting as long as the deadline allows. 0 or -errno. */
static int
send_all(struct client *c, struct span bytes, uint64_t deadline_ms)
{
	for (;;) {
		const struct iovec part = { (void *)(uintptr_t)bytes.p, bytes.n };
		ssize_t n = stream_write(&c->stream, &part, bytes.n > 0);
		int rc;

		if (n < 0)
			return (int)n;
		bytes = span_skip(bytes, (size_t)n);
		if (bytes.n == 0 && !stream_owes(&c->stream))
			return 0;
		rc = endpoint_wait(c->stream.fd, POLLOUT, deadline_ms);
		if (rc != 0)
			return rc;
	}
}

/* Appends what has arrived. 1; 0 at the end; -EAGAIN, -ENOMEM or another -errno. */
static int
read_some(struct client *c)
{
	ssize_t n;

	if (!buf_reserve(&c->in, READ_BYTES))
		return -ENOMEM;
	n = stream_read(&c->stream, c->in.data + c->in.len, READ_BYTES);
	if (n < 0)
		return (int)n;
	c->in.len += (size_t)n;
	return n > 0;
}

static int
read_until(struct client *c, uint64_t deadline_ms)
{
	int rc = endpoint_wait(c->stream.fd, POLLIN, deadline_ms);

	return rc != 0 ? rc : read_some(c);
}

/* Sends one frame; masked with a fresh key, as every client's (RFC 6455 section 5.3). */
static int
send_frame(struct client *c, enum ws_opcode opcode, struct span payload, uint64_t deadline_ms)
{
	struct buf frame = { 0 };
	uint8_t mask[4];
	int rc = random_bytes(mask, sizeof(mask));

	if (rc == 0) {
		frame_append_masked(&frame, opcode, payload, mask);
		rc = buf_status(&frame);
	}
	if (rc == 0)
		rc = send_all(c, buf_span(&frame), deadline_ms);
	buf_fini(&frame);
	return rc;
}

enum cli_status
client_send(struct client *c, struct span text, uint64_t deadline_ms)
{
	int rc = send_frame(c, WS_TEXT, text, deadline_ms);

	if (rc == 0)
		return CLI_OK;
	client_say(c, "Cannot send to the gateway: %s", strerror(-rc));
	return rc == -ENOMEM ? CLI_FAILED : CLI_UNREACHABLE;
}

/* --- opening ----------------------------------------------------------------------------------- */

/* The answer refuses: reads on until its body is there, which says more than the status. */
static enum cli_status
fail_refused(struct client *c, const struct endpoint *endpoint,
    const struct upgrade_refusal *refusal, size_t head_bytes)
{
	uint64_t deadline_ms = clock_mono_ms() + FAREWELL_MS;
	struct buf text = { 0 };
	enum cli_status status;

	while (c->in.len < head_bytes + refusal->content_length) {
		int rc = read_until(c, deadline_ms);

		if (rc <= 0 && rc != -EAGAIN)
			break;
	}
	status = refusal_explain(endpoint, refusal, span_skip(buf_span(&c->in), head_bytes), &text);
	client_say(c, "%.*s", SPAN_ARGS(buf_span(&text)));
	buf_fini(&text);
	return status;
}

static enum cli_status
fail_handshake(struct client *c, const struct endpoint *endpoint, int rc)
{
	if (rc == -ENOMEM)
		return fail_memory(c);
	if (rc == 0)
		client_say(c, "%s ended the connection before it answered", endpoint->name);
	else if (rc == -ETIMEDOUT)
		client_say(c, "%s does not answer", endpoint->name);
	else
		client_say(
		    c, "Connection to %s lost: %s", endpoint->name, stream_why(&c->stream, rc));
	return CLI_UNREACHABLE;
}

static enum cli_status
read_answer(struct client *c, const struct upgrade *upgrade, const struct endpoint *endpoint,
    uint64_t deadline_ms)
{
	struct upgrade_refusal refusal;

	for (;;) {
		switch (upgrade_read(upgrade, buf_span(&c->in), &c->used, &refusal)) {
		case UPGRADE_OPEN:
			return CLI_OK;
		case UPGRADE_REFUSED:
			return fail_refused(c, endpoint, &refusal, c->used);
		case UPGRADE_PARTIAL: {
			int rc = read_until(c, deadline_ms);

			if (rc != 1 && rc != -EAGAIN)
				return fail_handshake(c, endpoint, rc);
		}
		}
	}
}

static enum cli_status
upgrade(struct client *c, const struct endpoint *endpoint, const char *token, uint64_t deadline_ms)
{
	struct buf request = { 0 };
	struct upgrade upgrade;
	int rc;

	rc = upgrade_write(&upgrade, endpoint, token, &request);
	if (rc == 0)
		rc = send_all(c, buf_span(&request), deadline_ms);
	buf_fini(&request);
	/* A refusal may have been sent, and the connection closed, before all was read. */
	if (rc != 0 && rc != -EPIPE && rc != -ECONNRESET)
		return fail_handshake(c, endpoint, rc);
	return read_answer(c, &upgrade, endpoint, deadline_ms);
}

enum cli_status
client_upgrade_take(struct client *c, int fd, const struct endpoint *endpoint, const char *token,
    uint64_t deadline_ms)
{
	stream_init(&c->stream, fd);
	return upgrade(c, endpoint, token, deadline_ms);
}

static enum cli_status
fail_secure(struct client *c, const struct endpoint *endpoint, int rc)
{
	if (rc != -EPROTO)
		return fail_handshake(c, endpoint, rc);
	client_say(c, "No TLS connection to %s: %s", endpoint->name, stream_why(&c->stream, rc));
	return CLI_UNREACHABLE;
}

/* Goes through the TLS handshake, in which the peer proves who it is. */
static enum cli_status
secure(struct client *c, const struct endpoint *endpoint, uint64_t deadline_ms)
{
	c->stream.tls = tls_connect(endpoint->tls, c->stream.fd, endpoint->host);
	if (c->stream.tls == NULL)
		return fail_memory(c);
	while (!stream_is_open(&c->stream)) {
		int rc = send_all(c, SPAN(""), deadline_ms);

		if (rc == 0)
			rc = read_until(c, deadline_ms);
		if (rc != 1 && rc != -EAGAIN)
			return fail_secure(c, endpoint, rc);
	}
	return CLI_OK;
}

enum cli_status
client_open(
    struct client *c, const struct endpoint *endpoint, const char *token, uint64_t deadline_ms)
{
	int fd;
	int rc = endpoint_connect(endpoint, deadline_ms, &fd);

	if (rc != 0) {
		struct buf text = { 0 };

		refusal_explain_connect(endpoint, rc, &text);
		client_say(c, "%.*s", SPAN_ARGS(buf_span(&text)));
		buf_fini(&text);
		return CLI_UNREACHABLE;
	}
	stream_init(&c->stream, fd);
	if (endpoint->is_secure) {
		enum cli_status status = secure(c, endpoint, deadline_ms);

		if (status != CLI_OK)
			return status;
	}
	return upgrade(c, endpoint, token, deadline_ms);
}

/* --- receiving --------------------------------------------------------------------------------- */

static enum client_verdict
end_closed(struct client *c, const struct wsrecv_item *item)
{
	uint8_t code[2] = { (uint8_t)(item->code >> 8), (uint8_t)item->code };
	bool has_code = frame_close_code_is_valid(item->code);
	struct buf reason = { 0 };

	/* The answer is a courtesy: the peer may be gone already. */
	if (!c->closing)
		(void)send_frame(c, WS_CLOSE, span_make((const char *)code, has_code ? 2 : 0),
		    clock_mono_ms() + FAREWELL_MS);
	refusal_explain_close(item->code, item->payload, &reason);
	client_say(c, "%.*s", SPAN_ARGS(buf_span(&reason)));
	buf_fini(&reason);
	stream_close(&c->stream);
	return CLIENT_ENDED;
}

static enum client_verdict
end_lost(struct client *c, int rc)
{
	if (rc == -ENOMEM)
		client_say(c, "out of memory");
	else
		client_say(c, "Connection lost: %s",
		    rc == 0 ? "the gateway ended it without a word" : stream_why(&c->stream, rc));
	stream_close(&c->stream);
	return CLIENT_ENDED;
}

/* Acts on one item. True: verdict is what client_next returns; false: go on. */
static bool
take_item(struct client *c, enum wsrecv_verdict verdict, const struct wsrecv_item *item,
    struct span *ret_text, enum client_verdict *ret)
{
	int rc;

	switch (verdict) {
	case WSRECV_TEXT:
	case WSRECV_BINARY:
		*ret_text = item->payload;
		*ret = CLIENT_MESSAGE;
		return true;
	case WSRECV_PING:
		rc = send_frame(c, WS_PONG, item->payload, clock_mono_ms() + FAREWELL_MS);
		if (rc == 0)
			return false;
		*ret = end_lost(c, rc);
		return true;
	case WSRECV_CLOSE:
		*ret = end_closed(c, item);
		return true;
	case WSRECV_FAIL:
		*ret = end_lost(c, item->code == WS_CLOSE_INTERNAL ? -ENOMEM : -EPROTO);
		return true;
	case WSRECV_PONG:
	case WSRECV_MORE:
		break;
	}
	return false;
}

enum client_verdict
client_next(struct client *c, struct span *ret_text)
{
	enum client_verdict verdict;

	if (c->stream.fd < 0)
		return CLIENT_ENDED;
	for (;;) {
		struct wsrecv_item item;
		size_t used;
		enum wsrecv_verdict received = wsrecv_next(
		    &c->recv, &limits, c->in.data + c->used, c->in.len - c->used, &used, &item);
		int rc;

		c->used += used;
		if (take_item(c, received, &item, ret_text, &verdict))
			return verdict;
		if (received != WSRECV_MORE)
			continue;
		buf_reset(&c->in);
		c->used = 0;
		rc = read_some(c);
		if (rc == -EAGAIN)
			return CLIENT_WAIT;
		if (rc <= 0)
			return end_lost(c, rc);
	}
}

enum cli_status
client_receive(struct client *c, uint64_t deadline_ms, struct span *ret_text)
{
	for (;;) {
		int rc;

		switch (client_next(c, ret_text)) {
		case CLIENT_MESSAGE:
			return CLI_OK;
		case CLIENT_ENDED:
			return CLI_UNREACHABLE;
		case CLIENT_WAIT:
			break;
		}
		rc = endpoint_wait(c->stream.fd, POLLIN, deadline_ms);
		if (rc == -ETIMEDOUT) {
			client_say(c, "The gateway did not answer in time");
			return CLI_FAILED;
		}
		if (rc != 0) {
			(void)end_lost(c, rc);
			return CLI_UNREACHABLE;
		}
	}
}

/* --- closing ----------------------------------------------------------------------------------- */

/* Sends a close frame, and reads on until the peer has answered it. */
static void
say_farewell(struct client *c)
{
	uint64_t deadline_ms = clock_mono_ms() + FAREWELL_MS;
	static const char code[2] = { (char)(WS_CLOSE_NORMAL >> 8),
		(char)(WS_CLOSE_NORMAL & 0xff) };
	struct span text;

	c->closing = true;
	if (send_frame(c, WS_CLOSE, span_make(code, sizeof(code)), deadline_ms) != 0)
		return;
	while (client_receive(c, deadline_ms, &text) == CLI_OK)
		continue;
}

void
client_close(struct client *c)
{
	char why[CLIENT_WHY_MAX];

	memcpy(why, c->why, sizeof(why));
	if (c->stream.fd >= 0 && c->why[0] == '\0')
		say_farewell(c);
	if (c->stream.fd >= 0)
		stream_close(&c->stream);
	wsrecv_fini(&c->recv);
	buf_fini(&c->in);
	memcpy(c->why, why, sizeof(why));
}
