/*
 * One request at a time, so an answer is told by its id alone. The gateway keeps the time limit of
 * a request; the client waits a little longer, for the answer that says so.
 */
#include "cli/session.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/jsonw.h"
#include "cli/jsonprint.h"
#include "config.h"
#include "proto/envelope.h"
#include "proto/json.h"

enum { GRACE_MS = 10000, ID_MAX = 24 };

void
session_init(struct session *s)
{
	*s = (struct session){ 0 };
	client_init(&s->client);
}

void
session_close(struct session *s)
{
	client_close(&s->client);
}

static enum cli_status
send_text(struct session *s, struct buf *text, uint64_t deadline_ms)
{
	enum cli_status status = CLI_FAILED;

	if (buf_status(text) != 0)
		client_say(&s->client, "out of memory");
	else
		status = client_send(&s->client, buf_span(text), deadline_ms);
	buf_fini(text);
	return status;
}

static enum cli_status
send_hello(struct session *s, struct span subscribe, uint64_t deadline_ms)
{
	struct buf text = { 0 };
	struct jsonw w;

	jsonw_init(&w, &text);
	jsonw_raw(&w,
	    SPAN("{\"type\":\"hello\",\"minProtocol\":1,\"maxProtocol\":1,\"client\":{"
		 "\"id\":\"lurkbot-cli\",\"displayName\":\"LurkBot command line\","
		 "\"version\":\"" LURKBOT_VERSION "\",\"platform\":\"linux\",\"mode\":\"cli\"}"));
	if (subscribe.n > 0) {
		buf_append_cstr(&text, ",\"subscribe\":");
		buf_append_span(&text, subscribe);
	}
	buf_append_byte(&text, '}');
	return send_text(s, &text, deadline_ms);
}

static enum cli_status
fail_hello(struct session *s, const struct json_value *error)
{
	struct errorshape shape;
	struct buf message = { 0 };

	if (error->kind != JSON_OBJECT || errorshape_read(error->text, &shape) != 0) {
		client_say(&s->client, "The gateway refused the hello");
		return CLI_FAILED;
	}
	jsonprint_plain(&message, span_cstr(shape.message));
	client_say(&s->client, "%.*s", SPAN_ARGS(buf_span(&message)));
	buf_fini(&message);
	return errorshape_status(&shape);
}

/* Waits for the answer to the hello, which comes before everything else. */
static enum cli_status
await_hello(struct session *s, uint64_t deadline_ms)
{
	static const struct json_field fields[] = { { "type", NULL }, { "error", NULL } };
	struct json_value values[ARRAY_LEN(fields)];
	struct json_fault fault;
	struct span text;
	enum cli_status status = client_receive(&s->client, deadline_ms, &text);

	if (status != CLI_OK)
		return status;
	if (json_object_scan(text, fields, ARRAY_LEN(fields), values, JSON_KEYS_MAX, &fault) == 0) {
		if (span_is(values[0].text, "\"hello-ok\""))
			return CLI_OK;
		if (span_is(values[0].text, "\"hello-error\""))
			return fail_hello(s, &values[1]);
	}
	client_say(&s->client, "The peer does not speak the gateway's protocol");
	return CLI_UNREACHABLE;
}

enum cli_status
session_open(
    struct session *s, const struct endpoint *endpoint, const char *token, struct span subscribe)
{
	uint64_t deadline_ms = clock_mono_ms() + SESSION_OPEN_MS;
	enum cli_status status = client_open(&s->client, endpoint, token, deadline_ms);

	if (status == CLI_OK)
		status = send_hello(s, subscribe, deadline_ms);
	if (status == CLI_OK)
		status = await_hello(s, deadline_ms);
	return status;
}

static enum cli_status
send_request(struct session *s, const struct request *request, const char *id, uint64_t deadline_ms)
{
	struct buf text = { 0 };
	struct jsonw w;

	jsonw_init(&w, &text);
	jsonw_object(&w);
	jsonw_key(&w, "id");
	jsonw_cstr(&w, id);
	jsonw_key(&w, "type");
	jsonw_cstr(&w, "request");
	jsonw_key(&w, "method");
	jsonw_cstr(&w, request->method);
	if (request->params.n > 0) {
		jsonw_key(&w, "params");
		jsonw_raw(&w, request->params);
	}
	if (request->session_key != NULL) {
		jsonw_key(&w, "sessionKey");
		jsonw_cstr(&w, request->session_key);
	}
	if (request->timeout_ms != 0) {
		jsonw_key(&w, "timeoutMs");
		jsonw_uint(&w, request->timeout_ms);
	}
	jsonw_object_end(&w);
	return send_text(s, &text, deadline_ms);
}

/* Reads a frame. True: it is the answer to this id; a frame without one is about ours as well. */
static bool
read_reply(struct span text, const char *id, struct reply *ret)
{
	static const struct json_field fields[] = { { "type", NULL }, { "id", NULL },
		{ "result", NULL }, { "error", NULL } };
	struct json_value v[ARRAY_LEN(fields)];
	struct json_fault fault;
	char quoted[ID_MAX + 2];

	snprintf(quoted, sizeof(quoted), "\"%s\"", id);
	if (json_object_scan(text, fields, ARRAY_LEN(fields), v, JSON_KEYS_MAX, &fault) != 0 ||
	    !span_is(v[0].text, "\"response\"") ||
	    !(span_is(v[1].text, quoted) || span_is(v[1].text, "\"\"")))
		return false;
	*ret = (struct reply){ .result = v[2].text };
	if (v[3].kind == JSON_OBJECT && errorshape_read(v[3].text, &ret->error) == 0) {
		ret->failed = true;
		ret->result = v[3].text;
	} else if (v[2].kind == JSON_ABSENT) {
		ret->result = SPAN("null");
	}
	return true;
}

/* Whether it is progress of this request: that is told, and is no answer. */
static bool
take_progress(struct span text, const char *id, const struct request *request)
{
	static const struct json_field fields[] = { { "type", NULL }, { "id", NULL },
		{ "payload", NULL } };
	struct json_value v[ARRAY_LEN(fields)];
	struct json_fault fault;
	char quoted[ID_MAX + 2];

	snprintf(quoted, sizeof(quoted), "\"%s\"", id);
	if (json_object_scan(text, fields, ARRAY_LEN(fields), v, JSON_KEYS_MAX, &fault) != 0 ||
	    !span_is(v[0].text, "\"progress\"") || !span_is(v[1].text, quoted))
		return false;
	if (request->on_progress != NULL)
		request->on_progress(v[2].kind == JSON_ABSENT ? SPAN("null") : v[2].text);
	return true;
}

enum cli_status
session_ask(struct session *s, const struct request *request, struct reply *ret)
{
	uint32_t allowed_ms =
	    request->timeout_ms != 0 ? request->timeout_ms : ENVELOPE_TIMEOUT_MS_DEFAULT;
	uint64_t deadline_ms = clock_mono_ms() + allowed_ms + GRACE_MS;
	enum cli_status status;
	struct span text;
	char id[ID_MAX];

	snprintf(id, sizeof(id), "cli-%u", ++s->requests);
	status = send_request(s, request, id, deadline_ms);
	while (status == CLI_OK) {
		status = client_receive(&s->client, deadline_ms, &text);
		if (status == CLI_OK && !take_progress(text, id, request) &&
		    read_reply(text, id, ret))
			break;
	}
	return status;
}
