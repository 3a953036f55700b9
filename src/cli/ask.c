/*
 * JSON from the command line is passed on as it stands, so it is proved valid here first: a fault
 * in it is the person's, with the place where it is, and not an error of the gateway's.
 */
#include "cli/ask.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/jsonw.h"
#include "cli/arguments.h"
#include "cli/dial.h"
#include "cli/invocation.h"
#include "cli/jsonprint.h"
#include "cli/output.h"
#include "proto/json.h"
#include "proto/utf8.h"

enum {
	READ_BYTES = 65536,
	RELOAD_MS = 120000, /* longer than a worker that stands still is borne with */
};

/* Reads standard input to its end. 0 or -errno. */
static int
read_input(struct buf *out)
{
	for (;;) {
		ssize_t n;

		if (!buf_reserve(out, READ_BYTES))
			return -ENOMEM;
		n = read(STDIN_FILENO, out->data + out->len, READ_BYTES);
		if (n == 0)
			return 0;
		if (n > 0)
			out->len += (size_t)n;
		else if (errno != EINTR)
			return -errno;
	}
}

/* Takes the option's JSON, or standard input's for "-". Not given leaves it empty. */
static enum cli_status
read_object(const struct arguments *a, enum option_id id, struct buf *ret)
{
	const char *text = arguments_text(a, id), *name = cli_options[id].name;
	struct json_fault fault = { 0 };
	struct span json;
	int rc = 0;

	if (text == NULL)
		return CLI_OK;
	if (strcmp(text, "-") == 0)
		rc = read_input(ret);
	else
		buf_append_cstr(ret, text);
	if (rc != 0 || buf_status(ret) != 0) {
		output_error("%s: cannot be read: %s", name, strerror(rc != 0 ? -rc : ENOMEM));
		return CLI_FAILED;
	}
	json = buf_span(ret);
	if (json_validate(json, &fault) != 0) {
		output_error(
		    "%s: is not valid JSON, at byte %zu: %s", name, fault.offset + 1, fault.text);
		return CLI_USAGE;
	}
	if (json.p[strspn(json.p, " \t\r\n")] != '{') {
		output_error("%s: must be a JSON object", name);
		return CLI_USAGE;
	}
	return CLI_OK;
}

/* What is not UTF-8 would be replaced on its way, and so mean something else. */
static enum cli_status
check_text(const char *name, const char *text)
{
	if (text == NULL || utf8_is_valid(span_cstr(text)))
		return CLI_OK;
	output_error("%s: must be UTF-8", name);
	return CLI_USAGE;
}

/* To standard error, so that standard output is the result and nothing else. */
static void
show_progress(struct span payload)
{
	struct buf line = { 0 };

	buf_append_cstr(&line, "Progress: ");
	jsonprint_plain(&line, payload);
	if (buf_status(&line) == 0)
		fprintf(stderr, "%.*s\n", SPAN_ARGS(buf_span(&line)));
	buf_fini(&line);
}

enum cli_status
ask_call(const struct invocation *invocation)
{
	const struct arguments *a = invocation->arguments;
	struct request request = {
		.method = a->operand,
		.session_key = arguments_text(a, OPTION_SESSION_KEY),
		.timeout_ms = (uint32_t)arguments_number(a, OPTION_TIMEOUT, 0),
		.on_progress = show_progress,
	};
	struct buf params = { 0 };
	struct session session;
	struct reply reply;
	enum cli_status status = check_text("METHOD", a->operand);

	if (status == CLI_OK)
		status = check_text("--session-key", request.session_key);
	if (status == CLI_OK)
		status = read_object(a, OPTION_PARAMS, &params);
	if (status == CLI_OK) {
		request.params = buf_span(&params);
		status = dial_and_ask(invocation, &request, &session, &reply);
		if (status == CLI_OK)
			status = output_json(reply.result, arguments_has(a, OPTION_JSON));
		session_close(&session);
	}
	buf_fini(&params);
	return status;
}

/* The params of events.publish. */
static void
write_publication(struct buf *out, const struct arguments *a, struct span payload)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object(&w);
	jsonw_key(&w, "event");
	jsonw_cstr(&w, a->operand);
	if (payload.n > 0) {
		jsonw_key(&w, "payload");
		jsonw_raw(&w, payload);
	}
	if (arguments_has(a, OPTION_SESSION_KEY)) {
		jsonw_key(&w, "sessionKey");
		jsonw_cstr(&w, arguments_text(a, OPTION_SESSION_KEY));
	}
	jsonw_object_end(&w);
}

static enum cli_status
print_receipt(struct span result)
{
	static const struct json_field fields[] = { { "id", NULL }, { "seq", NULL } };
	struct json_value v[ARRAY_LEN(fields)];
	struct json_fault fault;
	struct buf text = { 0 };

	buf_append_cstr(&text, "Published");
	if (json_object_scan(result, fields, ARRAY_LEN(fields), v, JSON_KEYS_MAX, &fault) == 0 &&
	    v[0].kind == JSON_STRING && v[1].kind == JSON_NUMBER) {
		buf_append_byte(&text, ' ');
		jsonprint_plain(&text, span_make(v[0].text.p + 1, v[0].text.n - 2));
		buf_printf(&text, " (seq %.*s)", SPAN_ARGS(v[1].text));
	}
	buf_append_byte(&text, '\n');
	return output_take(&text);
}

static enum cli_status
publish(const struct invocation *invocation, struct span payload)
{
	struct request request = { .method = "events.publish" };
	struct buf params = { 0 };
	struct session session;
	struct reply reply;
	enum cli_status status;

	write_publication(&params, invocation->arguments, payload);
	if (buf_status(&params) != 0) {
		output_error("out of memory");
		buf_fini(&params);
		return CLI_FAILED;
	}
	request.params = buf_span(&params);
	status = dial_and_ask(invocation, &request, &session, &reply);
	if (status == CLI_OK && arguments_has(invocation->arguments, OPTION_JSON))
		status = output_json(reply.result, true);
	else if (status == CLI_OK)
		status = print_receipt(reply.result);
	session_close(&session);
	buf_fini(&params);
	return status;
}

enum cli_status
ask_publish(const struct invocation *invocation)
{
	const struct arguments *a = invocation->arguments;
	struct buf payload = { 0 };
	enum cli_status status = check_text("EVENT", a->operand);

	if (status == CLI_OK)
		status = check_text("--session-key", arguments_text(a, OPTION_SESSION_KEY));
	if (status == CLI_OK)
		status = read_object(a, OPTION_PAYLOAD, &payload);
	if (status == CLI_OK)
		status = publish(invocation, buf_span(&payload));
	buf_fini(&payload);
	return status;
}

/* "WHAT: a, b", or nothing where the list is empty. */
static void
print_keys(struct buf *out, const char *what, struct span list)
{
	bool is_first = true;

	for (const char *p = list.p, *end = list.p + list.n; p < end; p++) {
		const char *close = *p == '"' ? memchr(p + 1, '"', (size_t)(end - p - 1)) : NULL;

		if (close == NULL)
			continue;
		buf_append_cstr(out, is_first ? what : ", ");
		jsonprint_plain(out, span_make(p + 1, (size_t)(close - p - 1)));
		is_first = false;
		p = close;
	}
	if (!is_first)
		buf_append_byte(out, '\n');
}

static enum cli_status
print_reload(struct span result)
{
	static const struct json_field fields[] = { { "changed", NULL }, { "waiting", NULL } };
	struct json_value v[ARRAY_LEN(fields)];
	struct json_fault fault;
	struct buf text = { 0 };

	buf_append_cstr(&text, "Configuration reloaded\n");
	if (json_object_scan(result, fields, ARRAY_LEN(fields), v, JSON_KEYS_MAX, &fault) == 0) {
		if (v[0].kind == JSON_ARRAY)
			print_keys(&text, "Changed: ", v[0].text);
		if (v[1].kind == JSON_ARRAY)
			print_keys(&text, "A restart is needed for: ", v[1].text);
	}
	return output_take(&text);
}

enum cli_status
ask_reload(const struct invocation *invocation)
{
	const struct request request = { .method = "config.reload", .timeout_ms = RELOAD_MS };
	struct session session;
	struct reply reply;
	enum cli_status status = dial_and_ask(invocation, &request, &session, &reply);

	if (status == CLI_OK && arguments_has(invocation->arguments, OPTION_JSON))
		status = output_json(reply.result, true);
	else if (status == CLI_OK)
		status = print_reload(reply.result);
	session_close(&session);
	return status;
}
