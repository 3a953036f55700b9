/*
 * A refusal names what a person can do about it where there is something.
 */
#include "cli/refusal.h"

#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "cli/endpoint.h"
#include "cli/errorshape.h"
#include "cli/jsonprint.h"
#include "cli/upgrade.h"
#include "proto/frame.h"
#include "proto/json.h"

static void
explain_local(const struct endpoint *endpoint, int rc, struct buf *out)
{
	if (rc == -ENOENT || rc == -ECONNREFUSED)
		buf_printf(out,
		    "Gateway is not running: nobody listens at %s; \"lurkbot gateway start\" "
		    "starts it",
		    endpoint->name);
	else if (rc == -ETIMEDOUT)
		buf_printf(out, "Gateway does not accept connections at %s", endpoint->name);
	else
		buf_printf(out, "Cannot connect to %s: %s", endpoint->name, strerror(-rc));
}

void
refusal_explain_connect(const struct endpoint *endpoint, int rc, struct buf *out)
{
	if (endpoint->socket_path != NULL)
		explain_local(endpoint, rc, out);
	else if (rc == -EADDRNOTAVAIL)
		buf_printf(out, "Unknown host: %s", endpoint->host);
	else
		buf_printf(out, "%s: %s", strerror(-rc), endpoint->name);
}

/* The sentence in a body like {"error":{"code":...,"message":...}}; else the reason phrase. */
static void
append_reason(const struct upgrade_refusal *refusal, struct span body, struct buf *out)
{
	static const struct json_field fields[] = { { "error", NULL } };
	struct json_value error;
	struct json_fault fault;
	struct errorshape shape;

	if (json_object_scan(body, fields, ARRAY_LEN(fields), &error, JSON_KEYS_MAX, &fault) == 0 &&
	    error.kind == JSON_OBJECT && errorshape_read(error.text, &shape) == 0 &&
	    shape.message[0] != '\0')
		jsonprint_plain(out, span_cstr(shape.message));
	else
		buf_append_cstr(out, refusal->text);
}

enum cli_status
refusal_explain(const struct endpoint *endpoint, const struct upgrade_refusal *refusal,
    struct span body, struct buf *out)
{
	size_t begin = out->len;

	switch (refusal->status) {
	case 401:
		append_reason(refusal, body, out);
		if (!span_has_prefix(
			span_skip(buf_span(out), begin), SPAN("Authentication failed")))
			buf_append_cstr(out, ": authentication failed");
		return CLI_UNAUTHORIZED;
	case 403:
		append_reason(refusal, body, out);
		return CLI_UNAUTHORIZED;
	case 503:
		buf_printf(out, "%s is not available now: ", endpoint->name);
		append_reason(refusal, body, out);
		return CLI_UNREACHABLE;
	case 0:
		buf_printf(out, "%s is no gateway: %s", endpoint->name, refusal->text);
		return CLI_UNREACHABLE;
	default:
		buf_printf(
		    out, "%s does not serve the gateway: %d ", endpoint->name, refusal->status);
		append_reason(refusal, body, out);
		return CLI_UNREACHABLE;
	}
}

void
refusal_explain_close(uint16_t code, struct span reason, struct buf *out)
{
	buf_append_cstr(out, "Connection closed by the gateway");
	if (code != WS_CLOSE_NO_STATUS)
		buf_printf(out, ": %u", code);
	if (reason.n > 0) {
		buf_append_byte(out, ' ');
		jsonprint_plain(out, reason);
	}
}
