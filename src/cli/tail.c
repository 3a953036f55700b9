/*
 * Events are printed as they come and flushed before each wait, so a reader sees them at once and a
 * flood still costs few system calls.
 */
#include "cli/tail.h"

#include <stdio.h>
#include <string.h>

#include "base/jsonw.h"
#include "cli/arguments.h"
#include "cli/dial.h"
#include "cli/interrupt.h"
#include "cli/invocation.h"
#include "cli/jsonprint.h"
#include "cli/output.h"
#include "proto/json.h"
#include "proto/utf8.h"

enum { LOOK_EVERY = 64 }; /* events between two looks for a signal, when they do not end */

struct follower {
	struct session *session;
	struct interrupt interrupt;
	struct buf line; /* kept for its memory */
	uint64_t left;	 /* events still to be printed */
	bool as_json;
};

static bool
write_list(struct jsonw *w, const char *key, const struct arguments *a, enum option_id id)
{
	size_t cursor = 0;
	const char *value;

	if (!arguments_has(a, id))
		return true;
	jsonw_key(w, key);
	jsonw_array(w);
	while ((value = arguments_each(a, id, &cursor)) != NULL) {
		if (!utf8_is_valid(span_cstr(value)))
			return false;
		jsonw_cstr(w, value);
	}
	jsonw_array_end(w);
	return true;
}

/* The hello's subscribe. False: an option is not UTF-8. */
static bool
write_subscription(struct buf *out, const struct arguments *a)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object(&w);
	if (!write_list(&w, "events", a, OPTION_EVENTS) ||
	    !write_list(&w, "sessionKeys", a, OPTION_FILTER_KEY))
		return false;
	jsonw_object_end(&w);
	return true;
}

/* Appends `time event [sessionKey] payload`. */
static void
append_event(struct buf *line, const struct json_value *at, const struct json_value *name,
    const struct json_value *key, const struct json_value *payload)
{
	char time[OUTPUT_TIME_MAX];
	struct buf text = { 0 };
	int64_t at_ms = 0;

	if (at->kind == JSON_NUMBER &&
	    json_integer_read(at->text, 0, JSON_INTEGER_MAX, &at_ms) != 0)
		at_ms = 0;
	output_time((uint64_t)at_ms, time);
	buf_printf(line, "%s ", time);
	if (json_string_append(&text, name->text) == 0)
		jsonprint_plain(line, buf_span(&text));
	buf_reset(&text);
	if (key->kind == JSON_STRING && json_string_append(&text, key->text) == 0) {
		buf_append_cstr(line, " [");
		jsonprint_plain(line, buf_span(&text));
		buf_append_byte(line, ']');
	}
	buf_fini(&text);
	if (payload->kind != JSON_ABSENT) {
		buf_append_byte(line, ' ');
		jsonprint_compact(line, payload->text);
	}
}

/* Prints the frame if it is an event. */
static void
print_frame(struct follower *f, struct span frame)
{
	enum { TYPE, AT, EVENT, KEY, PAYLOAD, FIELDS };
	static const struct json_field fields[FIELDS] = { { "type", NULL }, { "at", NULL },
		{ "event", NULL }, { "sessionKey", NULL }, { "payload", NULL } };
	struct json_value v[FIELDS];
	struct json_fault fault;

	if (json_object_scan(frame, fields, FIELDS, v, JSON_KEYS_MAX, &fault) != 0 ||
	    !span_is(v[TYPE].text, "\"event\"") || v[EVENT].kind != JSON_STRING)
		return;
	buf_reset(&f->line);
	if (f->as_json)
		jsonprint_compact(&f->line, frame);
	else
		append_event(&f->line, &v[AT], &v[EVENT], &v[KEY], &v[PAYLOAD]);
	buf_append_byte(&f->line, '\n');
	if (buf_status(&f->line) == 0)
		fwrite(f->line.data, 1, f->line.len, stdout);
	f->left--;
}

static enum cli_status
follow(struct follower *f)
{
	struct client *client = &f->session->client;
	struct span frame;

	for (uint64_t turn = 1; f->left > 0; turn++) {
		enum client_verdict verdict = client_next(client, &frame);
		bool waits = verdict == CLIENT_WAIT;

		if (verdict == CLIENT_ENDED) {
			output_error("%s", client->why);
			return CLI_UNREACHABLE;
		}
		if (verdict == CLIENT_MESSAGE)
			print_frame(f, frame);
		if ((waits || turn % LOOK_EVERY == 0) &&
		    interrupt_wait(&f->interrupt, client->stream.fd, waits ? -1 : 0) ==
			INTERRUPT_END)
			return CLI_OK;
	}
	return CLI_OK;
}

/* Signals are collected once there is something to end in good order. */
static enum cli_status
follow_until_interrupted(struct follower *f)
{
	int rc = interrupt_open(&f->interrupt);
	enum cli_status status;

	if (rc != 0) {
		output_error("Cannot watch for signals: %s", strerror(-rc));
		return CLI_FAILED;
	}
	status = follow(f);
	interrupt_close(&f->interrupt);
	return status;
}

static enum cli_status
dial_and_follow(const struct invocation *invocation, struct follower *f, struct span subscribe)
{
	enum cli_status status = dial(invocation, subscribe, f->session);

	if (status == CLI_OK)
		status = follow_until_interrupted(f);
	else
		output_error("%s", f->session->client.why);
	session_close(f->session);
	return status;
}

enum cli_status
tail_run(const struct invocation *invocation)
{
	const struct arguments *a = invocation->arguments;
	struct session session;
	struct follower f = {
		.session = &session,
		.left = arguments_number(a, OPTION_EVENT_COUNT, UINT64_MAX),
		.as_json = arguments_has(a, OPTION_JSON),
	};
	struct buf subscribe = { 0 };
	enum cli_status status = CLI_FAILED;

	if (!write_subscription(&subscribe, a)) {
		output_error("--events and --session-key must be UTF-8");
		status = CLI_USAGE;
	} else if (buf_status(&subscribe) != 0) {
		output_error("out of memory");
	} else {
		status = dial_and_follow(invocation, &f, buf_span(&subscribe));
	}
	buf_fini(&subscribe);
	buf_fini(&f.line);
	return status;
}
