/*
 * The gateway is asked page by page until there are no more, or as many as were wanted.
 */
#include "cli/connections.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/jsonw.h"
#include "cli/arguments.h"
#include "cli/connline.h"
#include "cli/dial.h"
#include "cli/invocation.h"
#include "cli/output.h"
#include "proto/json.h"

enum { PAGE = 200, CLOSED_DEFAULT = 50, CURSOR_CAP = 24 };

/* One run of the verb. */
struct listing {
	bool closed, as_json;
	uint64_t left; /* to be printed */
	uint64_t printed;
	char cursor[CURSOR_CAP]; /* empty: from the beginning */
};

static void
write_params(const struct listing *listing, struct buf *out)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object(&w);
	jsonw_key(&w, "limit");
	jsonw_uint(&w, min_u64(listing->left, PAGE));
	if (listing->closed) {
		jsonw_key(&w, "closed");
		jsonw_bool(&w, true);
	}
	if (listing->cursor[0] != '\0') {
		jsonw_key(&w, "cursor");
		jsonw_cstr(&w, listing->cursor);
	}
	jsonw_object_end(&w);
}

/* What a column says where nothing is known. */
static struct span
or_dash(const struct buf *text)
{
	return text->len > 0 ? buf_span(text) : SPAN("-");
}

static void
print_row(const struct listing *listing, const struct connline *c)
{
	char age[OUTPUT_DURATION_MAX] = "-", closed[OUTPUT_TIME_MAX];

	if (c->has_age)
		output_duration(connline_age_ms(c, clock_real_ms()), age);
	if (!listing->closed) {
		printf("%-8.*s  %-24.*s  %-22.*s  %6" PRIu64 "  %-10s  %" PRIu64 "\n",
		    SPAN_ARGS(buf_span(&c->id)), SPAN_ARGS(or_dash(&c->client)),
		    SPAN_ARGS(or_dash(&c->remote)), c->worker, age, c->lag);
		return;
	}
	output_time(c->closed_ms, closed);
	printf("%-8.*s  %-24.*s  %-22.*s  %-24s  %-10s  %4" PRIu64 "  %.*s\n",
	    SPAN_ARGS(buf_span(&c->id)), SPAN_ARGS(or_dash(&c->client)),
	    SPAN_ARGS(or_dash(&c->remote)), closed, age, c->code, SPAN_ARGS(buf_span(&c->cause)));
}

static void
print_head(const struct listing *listing)
{
	if (listing->closed)
		printf("%-8s  %-24s  %-22s  %-24s  %-10s  %4s  %s\n", "CONN", "CLIENT", "FROM",
		    "ENDED", "LASTED", "CODE", "CAUSE");
	else
		printf("%-8s  %-24s  %-22s  %6s  %-10s  %s\n", "CONN", "CLIENT", "FROM", "WORKER",
		    "FOR", "BEHIND");
}

static void
print_connection(struct listing *listing, struct span json)
{
	struct connline c;

	if (listing->as_json) {
		(void)output_json(json, true);
	} else if (connline_read(&c, json)) {
		if (listing->printed == 0)
			print_head(listing);
		print_row(listing, &c);
		connline_fini(&c);
	}
	listing->printed++;
	listing->left--;
}

/* Prints a page, and takes note of where the next one begins. False: there is none. */
static bool
print_page(struct listing *listing, struct span result)
{
	static const struct json_field fields[] = { { "connections", NULL },
		{ "nextCursor", NULL } };
	struct json_value v[ARRAY_LEN(fields)], connection;
	struct json_fault fault;
	struct buf cursor = { 0 };
	size_t at = 0;

	if (json_object_scan(result, fields, ARRAY_LEN(fields), v, JSON_KEYS_MAX, &fault) != 0 ||
	    v[0].kind != JSON_ARRAY)
		return false;
	while (listing->left > 0 && json_array_next(v[0].text, &at, &connection) == 1)
		print_connection(listing, connection.text);
	if (v[1].kind == JSON_STRING && json_string_append(&cursor, v[1].text) == 0)
		snprintf(
		    listing->cursor, sizeof(listing->cursor), "%.*s", SPAN_ARGS(buf_span(&cursor)));
	buf_fini(&cursor);
	return v[1].kind == JSON_STRING && listing->left > 0;
}

static enum cli_status
ask_page(const struct invocation *invocation, struct session *session, struct listing *listing,
    bool *ret_more)
{
	struct request request = { .method = "connections.list" };
	struct buf params = { 0 };
	struct reply reply;
	enum cli_status status;

	*ret_more = false;
	write_params(listing, &params);
	request.params = buf_span(&params);
	status = session_ask(session, &request, &reply);
	if (status != CLI_OK)
		output_error("%s", session->client.why);
	else if (reply.failed)
		status = dial_print_error(&reply, invocation);
	else
		*ret_more = print_page(listing, reply.result);
	buf_fini(&params);
	return status;
}

enum cli_status
connections_run(const struct invocation *invocation)
{
	const struct arguments *a = invocation->arguments;
	struct listing listing = {
		.closed = arguments_has(a, OPTION_CLOSED),
		.as_json = arguments_has(a, OPTION_JSON),
	};
	struct session session;
	enum cli_status status = dial(invocation, DIAL_NO_EVENTS, &session);
	bool more = status == CLI_OK;

	listing.left =
	    arguments_number(a, OPTION_LIMIT, listing.closed ? CLOSED_DEFAULT : UINT64_MAX);
	if (status != CLI_OK)
		output_error("%s", session.client.why);
	while (more)
		status = ask_page(invocation, &session, &listing, &more);
	session_close(&session);
	return status;
}
