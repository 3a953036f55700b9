/*
 * The running process is asked, never a file. That it does not answer is an answer here, too, and
 * goes to standard output; the reason only where it is not simply that nothing runs.
 */
#include "cli/inspect.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/arguments.h"
#include "cli/dial.h"
#include "cli/invocation.h"
#include "cli/jsonprint.h"
#include "cli/output.h"
#include "cli/setup.h"
#include "cli/stopper.h"
#include "proto/json.h"

/* The members of a status or health answer that people are shown. */
struct report {
	struct buf status, version, address;
	uint64_t pid, uptime_ms, connections, workers, workers_serving;
};

static void
report_fini(struct report *r)
{
	buf_fini(&r->status);
	buf_fini(&r->version);
	buf_fini(&r->address);
}

static uint64_t
number_of(const struct json_value *value)
{
	int64_t number = 0;

	if (value->kind != JSON_NUMBER ||
	    json_integer_read(value->text, 0, JSON_INTEGER_MAX, &number) != 0)
		return 0;
	return (uint64_t)number;
}

/* Appends a string of the gateway's, fit for a terminal. */
static void
append_string(struct buf *out, const struct json_value *value)
{
	struct buf text = { 0 };

	if (value->kind == JSON_STRING && json_string_append(&text, value->text) == 0)
		jsonprint_plain(out, buf_span(&text));
	buf_fini(&text);
}

static void
read_addresses(struct report *r, const struct json_value *listeners)
{
	struct json_value address;
	size_t cursor = 0;

	if (listeners->kind != JSON_ARRAY)
		return;
	while (json_array_next(listeners->text, &cursor, &address) == 1) {
		if (r->address.len > 0)
			buf_append_cstr(&r->address, ", ");
		append_string(&r->address, &address);
	}
}

/* The answer to status lists the workers, the one to health counts them. */
static void
read_workers(struct report *r, const struct json_value *workers)
{
	static const struct json_field fields[] = { { "state", NULL } };
	struct json_value worker, state;
	struct json_fault fault;
	size_t cursor = 0;

	r->workers = r->workers_serving = number_of(workers);
	while (
	    workers->kind == JSON_ARRAY && json_array_next(workers->text, &cursor, &worker) == 1) {
		r->workers++;
		if (json_object_scan(worker.text, fields, 1, &state, JSON_KEYS_MAX, &fault) == 0 &&
		    span_is(state.text, "\"serving\""))
			r->workers_serving++;
	}
}

static void
report_read(struct report *r, struct span json)
{
	enum { STATUS, VERSION, PID, LISTENERS, UPTIME, CONNECTIONS, WORKERS, FIELDS };
	static const struct json_field fields[FIELDS] = { { "status", NULL }, { "version", NULL },
		{ "pid", NULL }, { "listeners", NULL }, { "uptimeMs", NULL },
		{ "connections", NULL }, { "workers", NULL } };
	struct json_value v[FIELDS];
	struct json_fault fault;

	*r = (struct report){ 0 };
	if (json_object_scan(json, fields, FIELDS, v, JSON_KEYS_MAX, &fault) != 0)
		return;
	append_string(&r->status, &v[STATUS]);
	append_string(&r->version, &v[VERSION]);
	r->pid = number_of(&v[PID]);
	read_addresses(r, &v[LISTENERS]);
	r->uptime_ms = number_of(&v[UPTIME]);
	r->connections = number_of(&v[CONNECTIONS]);
	read_workers(r, &v[WORKERS]);
}

static void
print_load(const struct report *r)
{
	char uptime[OUTPUT_DURATION_MAX];

	output_duration(r->uptime_ms, uptime);
	printf("  Uptime: %s\n  Connections: %" PRIu64 "\n", uptime, r->connections);
	if (r->workers_serving == r->workers)
		printf("  Workers: %" PRIu64 "\n", r->workers);
	else
		printf("  Workers: %" PRIu64 " of %" PRIu64 " serving\n", r->workers_serving,
		    r->workers);
}

/* --- status ----------------------------------------------------------------------------------- */

/* The gateway's own members behind "running". */
static void
print_running_json(struct span result)
{
	struct buf text = { 0 };

	buf_append_cstr(&text, "{\"running\":true");
	if (result.n > 2) {
		buf_append_byte(&text, ',');
		buf_append_span(&text, span_skip(result, 1));
	} else {
		buf_append_byte(&text, '}');
	}
	if (buf_status(&text) == 0)
		(void)output_json(buf_span(&text), true);
	buf_fini(&text);
}

static void
print_running(struct span result)
{
	struct report r;

	report_read(&r, result);
	printf("Gateway Status: Running\n  PID: %" PRIu64 "\n", r.pid);
	printf("  Address: %.*s\n", SPAN_ARGS(buf_span(&r.address)));
	print_load(&r);
	report_fini(&r);
}

/* The pid of a local gateway that is there all the same: just starting, or stuck. 0: none. */
static pid_t
find_silent(const struct arguments *a)
{
	pid_t pid = 0;
	char *home;

	if (!dial_is_local(a) || setup_home(&home) != CLI_OK)
		return 0;
	if (stopper_find(home, &pid) != 0)
		pid = 0;
	mem_free(home);
	return pid;
}

static enum cli_status
print_unreachable(const struct invocation *invocation, const char *why)
{
	const struct arguments *a = invocation->arguments;
	pid_t pid = find_silent(a);

	if (arguments_has(a, OPTION_JSON)) {
		printf(pid != 0 ? "{\"running\":true,\"answering\":false,\"pid\":%d}\n"
				: "{\"running\":false}\n",
		    (int)pid);
	} else if (pid != 0) {
		printf("Gateway Status: Not answering\n  PID: %d\n", (int)pid);
		output_error("%s", why);
	} else {
		printf("Gateway Status: Stopped\n");
		if (!dial_is_local(a))
			output_error("%s", why);
	}
	return CLI_UNREACHABLE;
}

enum cli_status
inspect_status(const struct invocation *invocation)
{
	const struct request request = { .method = "status" };
	struct session session;
	struct reply reply;
	enum cli_status status = dial(invocation, DIAL_NO_EVENTS, &session);

	if (status == CLI_OK)
		status = session_ask(&session, &request, &reply);
	if (status == CLI_UNREACHABLE)
		status = print_unreachable(invocation, session.client.why);
	else if (status != CLI_OK)
		output_error("%s", session.client.why);
	else if (reply.failed)
		status = dial_print_error(&reply, invocation);
	else if (arguments_has(invocation->arguments, OPTION_JSON))
		print_running_json(reply.result);
	else
		print_running(reply.result);
	session_close(&session);
	return status;
}

/* --- health ----------------------------------------------------------------------------------- */

enum cli_status
inspect_health(const struct invocation *invocation)
{
	const struct request request = { .method = "health" };
	struct session session;
	struct reply reply;
	struct report r;
	enum cli_status status = dial_and_ask(invocation, &request, &session, &reply);

	if (status == CLI_OK) {
		report_read(&r, reply.result);
		if (!span_is(buf_span(&r.status), "healthy"))
			status = CLI_FAILED;
		if (arguments_has(invocation->arguments, OPTION_JSON)) {
			(void)output_json(reply.result, true);
		} else {
			printf("Gateway Health: %.*s\n", SPAN_ARGS(buf_span(&r.status)));
			printf("  Version: %.*s\n", SPAN_ARGS(buf_span(&r.version)));
			print_load(&r);
		}
		report_fini(&r);
	}
	session_close(&session);
	return status;
}
