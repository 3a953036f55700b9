/*
 * The open connections are asked first: an id is given anew after some thousand others, and then the living one
 * is meant. The words for each cause are those of gateway/causes.
 */
#include "cli/why.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/jsonw.h"
#include "base/parse.h"
#include "cli/arguments.h"
#include "cli/connline.h"
#include "cli/dial.h"
#include "cli/invocation.h"
#include "cli/output.h"
#include "gateway/causes.h"
#include "proto/json.h"

enum { ID_DIGITS = 8 };

static void
write_params(const char *id, bool closed, struct buf *out)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object(&w);
	jsonw_key(&w, "connId");
	jsonw_cstr(&w, id);
	jsonw_key(&w, "closed");
	jsonw_bool(&w, closed);
	jsonw_object_end(&w);
}

/* The first connection of the answer; empty: there is none. */
static struct span
first_connection(struct span result)
{
	static const struct json_field field = { "connections", NULL };
	struct json_value list, connection;
	struct json_fault fault;
	size_t at = 0;

	if (json_object_scan(result, &field, 1, &list, JSON_KEYS_MAX, &fault) != 0 ||
	    list.kind != JSON_ARRAY || json_array_next(list.text, &at, &connection) != 1)
		return SPAN("");
	return connection.text;
}

/* --- the paragraph ---------------------------------------------------------------------------- */

/* "Connection 9f1c2ab4 of my-client (My client) from 127.0.0.1:5000" */
static void
say_who(struct buf *out, const struct connline *c)
{
	buf_printf(out, "Connection %.*s", SPAN_ARGS(buf_span(&c->id)));
	if (c->client.len > 0)
		buf_printf(out, " of %.*s", SPAN_ARGS(buf_span(&c->client)));
	if (c->display.len > 0)
		buf_printf(out, " (%.*s)", SPAN_ARGS(buf_span(&c->display)));
	if (c->remote.len > 0)
		buf_printf(out, " from %.*s", SPAN_ARGS(buf_span(&c->remote)));
}

static void
say_bytes(struct buf *out, const struct connline *c)
{
	buf_printf(out, " It sent %" PRIu64 " message%s", c->messages, c->messages == 1 ? "" : "s");
	if (c->has_bytes)
		buf_printf(out, " (%" PRIu64 " bytes in all) and took %" PRIu64 " bytes",
		    c->bytes_in, c->bytes_out);
	if (c->lag > 0)
		buf_printf(out, "; %" PRIu64 " event%s had not reached it", c->lag,
		    c->lag == 1 ? "" : "s");
	buf_append_byte(out, '.');
}

static void
say_closed(struct buf *out, const struct connline *c)
{
	const struct cause *cause = cause_by_name(buf_span(&c->cause));
	char at[OUTPUT_TIME_MAX], age[OUTPUT_DURATION_MAX];

	if (cause == NULL)
		cause = cause_at(LEDGER_UNKNOWN);
	output_time(c->closed_ms, at);
	buf_printf(out, " %s, at %s", cause->what, at);
	if (c->has_age) {
		output_duration(c->age_ms, age);
		buf_printf(out, ", %s after it had connected to worker %" PRIu64, age, c->worker);
	} else {
		buf_printf(out, "; it was with worker %" PRIu64, c->worker);
	}
	buf_append_byte(out, '.');
	if (c->code != 0)
		buf_printf(out, " The close code was %" PRIu64 ", the reason \"%.*s\".", c->code,
		    SPAN_ARGS(buf_span(&c->reason)));
	else if (c->reason.len > 0)
		buf_printf(out, " The reason was \"%.*s\".", SPAN_ARGS(buf_span(&c->reason)));
	if (c->has_age)
		say_bytes(out, c);
	if (c->limit.len > 0)
		buf_printf(out, " The limit is %.*s.", SPAN_ARGS(buf_span(&c->limit)));
	buf_printf(out, " %s", cause->advice);
}

static void
say_open(struct buf *out, const struct connline *c)
{
	char age[OUTPUT_DURATION_MAX];

	output_duration(connline_age_ms(c, clock_real_ms()), age);
	buf_printf(out, " is open: it has been connected to worker %" PRIu64 " for %s, and ",
	    c->worker, age);
	if (c->lag > 0)
		buf_printf(out, "%" PRIu64 " events have not reached it yet.", c->lag);
	else
		buf_append_cstr(out, "has been sent all events that it wants.");
}

static enum cli_status
say(const struct invocation *invocation, struct span json, bool closed)
{
	struct buf text = { 0 };
	struct connline c;

	if (arguments_has(invocation->arguments, OPTION_JSON)) {
		buf_printf(&text, "{\"open\":%s,", closed ? "false" : "true");
		buf_append_span(&text, span_skip(json, 1));
		buf_append_byte(&text, '\n');
		return output_take(&text);
	}
	if (!connline_read(&c, json)) {
		output_error("the gateway's answer cannot be read");
		connline_fini(&c);
		return CLI_FAILED;
	}
	say_who(&text, &c);
	if (closed)
		say_closed(&text, &c);
	else
		say_open(&text, &c);
	buf_append_byte(&text, '\n');
	connline_fini(&c);
	return output_take(&text);
}

/* --- the verb --------------------------------------------------------------------------------- */

/* Asks for it among those that are open, or those that have ended. *ret_found: it was, and was told. */
static enum cli_status
look(const struct invocation *invocation, struct session *session, bool closed, bool *ret_found)
{
	struct request request = { .method = "connections.list" };
	struct buf params = { 0 };
	struct reply reply;
	struct span json;
	enum cli_status status;

	*ret_found = false;
	write_params(invocation->arguments->operand, closed, &params);
	request.params = buf_span(&params);
	status = session_ask(session, &request, &reply);
	buf_fini(&params);
	if (status != CLI_OK) {
		output_error("%s", session->client.why);
		return status;
	}
	if (reply.failed)
		return dial_print_error(&reply, invocation);
	json = first_connection(reply.result);
	if (json.n == 0)
		return CLI_OK;
	*ret_found = true;
	return say(invocation, json, closed);
}

enum cli_status
why_run(const struct invocation *invocation)
{
	const char *id = invocation->arguments->operand;
	struct session session;
	enum cli_status status;
	bool found = false;
	uint64_t number;

	if (strlen(id) != ID_DIGITS || parse_hex_u64(span_cstr(id), UINT32_MAX, &number) != 0) {
		output_error("CONN: must be the 8 hexadecimal digits of a connId");
		return CLI_USAGE;
	}
	status = dial(invocation, DIAL_NO_EVENTS, &session);
	if (status != CLI_OK)
		output_error("%s", session.client.why);
	for (int closed = 0; closed <= 1 && status == CLI_OK && !found; closed++)
		status = look(invocation, &session, closed != 0, &found);
	session_close(&session);
	if (status == CLI_OK && !found) {
		output_error("%s is no connection that is open, nor one of the last %d that ended",
		    id, LEDGER_LINES);
		status = CLI_FAILED;
	}
	return status;
}
