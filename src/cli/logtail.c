/*
 * Each answer says where the next one begins, so no line is told twice; what the gateway's 256 KiB have lost by
 * then is lost here too.
 */
#include "cli/logtail.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/jsonw.h"
#include "cli/dial.h"
#include "cli/interrupt.h"
#include "cli/invocation.h"
#include "cli/jsonprint.h"
#include "cli/output.h"
#include "proto/json.h"

enum { LINES_MAX = 1000, CURSOR_CAP = 24, LOOK_AGAIN_MS = 500 };

/* Where the next question begins. */
struct place {
	uint64_t lines;
	char cursor[CURSOR_CAP]; /* empty: at the end */
};

static void
write_params(const struct place *place, struct buf *out)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object(&w);
	jsonw_key(&w, "lines");
	jsonw_uint(&w, max_u64(min_u64(place->lines, LINES_MAX), 1));
	if (place->cursor[0] != '\0') {
		jsonw_key(&w, "cursor");
		jsonw_cstr(&w, place->cursor);
	}
	jsonw_object_end(&w);
}

/* Hands over the lines, and returns how many there were. */
static size_t
print_lines(const struct logtail *tail, struct span list)
{
	struct json_value line;
	size_t at = 0, count = 0;

	for (; json_array_next(list, &at, &line) == 1; count++) {
		struct buf raw = { 0 }, text = { 0 };

		if (line.kind == JSON_STRING && json_string_append(&raw, line.text) == 0)
			jsonprint_plain(&text, buf_span(&raw));
		if (tail->lines > 0)
			tail->print(tail->arg, buf_span(&text));
		buf_fini(&raw);
		buf_fini(&text);
	}
	return count;
}

static size_t
take_answer(const struct logtail *tail, struct place *place, struct span result)
{
	static const struct json_field fields[] = { { "lines", NULL }, { "cursor", NULL } };
	struct json_value v[ARRAY_LEN(fields)];
	struct json_fault fault;
	struct buf cursor = { 0 };
	size_t count;

	if (json_object_scan(result, fields, ARRAY_LEN(fields), v, JSON_KEYS_MAX, &fault) != 0 ||
	    v[0].kind != JSON_ARRAY)
		return 0;
	count = print_lines(tail, v[0].text);
	if (v[1].kind == JSON_STRING && json_string_append(&cursor, v[1].text) == 0)
		snprintf(
		    place->cursor, sizeof(place->cursor), "%.*s", SPAN_ARGS(buf_span(&cursor)));
	buf_fini(&cursor);
	return count;
}

static enum cli_status
ask(const struct invocation *invocation, struct session *session, const struct logtail *tail,
    struct place *place)
{
	struct request request = { .method = "logs.tail" };
	struct buf params = { 0 };
	struct reply reply;
	enum cli_status status;

	write_params(place, &params);
	request.params = buf_span(&params);
	status = session_ask(session, &request, &reply);
	buf_fini(&params);
	if (status != CLI_OK)
		output_error("%s", session->client.why);
	else if (reply.failed)
		status = dial_print_error(&reply, invocation);
	else
		(void)take_answer(tail, place, reply.result);
	return status;
}

static enum cli_status
follow(const struct invocation *invocation, struct session *session, const struct logtail *tail,
    struct place *place)
{
	/* What comes from now on is told in any case. */
	const struct logtail more = { .lines = LINES_MAX, .print = tail->print, .arg = tail->arg };
	struct interrupt interrupt;
	enum cli_status status = CLI_OK;

	if (interrupt_open(&interrupt) != 0) {
		output_error("signals: %s", strerror(errno));
		return CLI_FAILED;
	}
	place->lines = LINES_MAX;
	while (status == CLI_OK && interrupt_wait(&interrupt, -1, LOOK_AGAIN_MS) != INTERRUPT_END) {
		status = ask(invocation, session, &more, place);
		(void)fflush(stdout);
	}
	interrupt_close(&interrupt);
	return status;
}

enum cli_status
logtail_run(const struct invocation *invocation, const struct logtail *tail, bool is_last_resort)
{
	struct place place = { .lines = tail->lines };
	struct session session;
	enum cli_status status = dial(invocation, DIAL_NO_EVENTS, &session);

	if (status != CLI_OK && !(is_last_resort && status == CLI_UNREACHABLE))
		output_error("%s", session.client.why);
	if (status == CLI_OK)
		status = ask(invocation, &session, tail, &place);
	if (status == CLI_OK && tail->follows)
		status = follow(invocation, &session, tail, &place);
	session_close(&session);
	return status;
}
