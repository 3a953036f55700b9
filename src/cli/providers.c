/*
 * Columns are as wide as what stands in them most of the time; methods, of which there may be many, come last.
 */
#include "cli/providers.h"

#include <inttypes.h>

#include "cli/arguments.h"
#include "cli/dial.h"
#include "cli/invocation.h"
#include "cli/jsonprint.h"
#include "cli/output.h"
#include "proto/json.h"

enum { CONN_ID, WORKER, METHODS, CONCURRENCY, IN_FLIGHT, DESCRIPTION, FIELDS };

static const struct json_field fields[FIELDS] = { { "connId", NULL }, { "worker", NULL },
	{ "methods", NULL }, { "concurrency", NULL }, { "inFlight", NULL },
	{ "description", NULL } };

static int64_t
number_of(const struct json_value *value)
{
	int64_t number = 0;

	if (value->kind != JSON_NUMBER ||
	    json_integer_read(value->text, 0, JSON_INTEGER_MAX, &number) != 0)
		return 0;
	return number;
}

static void
append_string(struct buf *out, const struct json_value *value)
{
	struct buf text = { 0 };

	if (value->kind == JSON_STRING && json_string_append(&text, value->text) == 0)
		jsonprint_plain(out, buf_span(&text));
	buf_fini(&text);
}

static void
append_provider(struct buf *out, struct span provider)
{
	struct json_value v[FIELDS], method;
	struct json_fault fault;
	size_t cursor = 0;

	if (json_object_scan(provider, fields, FIELDS, v, JSON_KEYS_MAX, &fault) != 0)
		return;
	append_string(out, &v[CONN_ID]);
	buf_printf(out, "  worker %-3" PRId64 " %4" PRId64 "/%-4" PRId64, number_of(&v[WORKER]),
	    number_of(&v[IN_FLIGHT]), number_of(&v[CONCURRENCY]));
	while (v[METHODS].kind == JSON_ARRAY &&
	       json_array_next(v[METHODS].text, &cursor, &method) == 1) {
		buf_append_byte(out, ' ');
		append_string(out, &method);
	}
	if (v[DESCRIPTION].kind == JSON_STRING) {
		buf_append_cstr(out, "  (");
		append_string(out, &v[DESCRIPTION]);
		buf_append_byte(out, ')');
	}
	buf_append_byte(out, '\n');
}

static enum cli_status
print(struct span result, bool as_json)
{
	static const struct json_field wanted[] = { { "providers", NULL } };
	struct json_value list, provider;
	struct json_fault fault;
	struct buf text = { 0 };
	size_t cursor = 0;

	if (json_object_scan(result, wanted, 1, &list, JSON_KEYS_MAX, &fault) != 0 ||
	    list.kind != JSON_ARRAY) {
		output_error("The gateway's answer tells no providers");
		return CLI_FAILED;
	}
	if (as_json)
		return output_json(list.text, true);
	while (json_array_next(list.text, &cursor, &provider) == 1)
		append_provider(&text, provider.text);
	if (text.len == 0)
		buf_append_cstr(&text, "No providers are registered\n");
	return output_take(&text);
}

enum cli_status
providers_run(const struct invocation *invocation)
{
	const struct request request = { .method = "status" };
	struct session session;
	struct reply reply;
	enum cli_status status = dial_and_ask(invocation, &request, &session, &reply);

	if (status == CLI_OK)
		status = print(reply.result, arguments_has(invocation->arguments, OPTION_JSON));
	session_close(&session);
	return status;
}
