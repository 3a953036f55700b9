/*
 * One scan of the object and one of its client. What is missing stays empty, so that an older or newer gateway
 * can be asked, too.
 */
#include "cli/connline.h"

#include "cli/jsonprint.h"
#include "proto/json.h"

static uint64_t
number_of(const struct json_value *value)
{
	int64_t number = 0;

	if (value->kind != JSON_NUMBER ||
	    json_integer_read(value->text, 0, JSON_INTEGER_MAX, &number) != 0)
		return 0;
	return (uint64_t)number;
}

static void
take_string(struct buf *out, const struct json_value *value)
{
	struct buf text = { 0 };

	if (value->kind == JSON_STRING && json_string_append(&text, value->text) == 0)
		jsonprint_plain(out, buf_span(&text));
	buf_fini(&text);
}

static void
read_client(struct connline *c, struct span json)
{
	static const struct json_field fields[] = { { "id", NULL }, { "displayName", NULL } };
	struct json_value v[ARRAY_LEN(fields)];
	struct json_fault fault;

	if (json_object_scan(json, fields, ARRAY_LEN(fields), v, JSON_KEYS_MAX, &fault) != 0)
		return;
	take_string(&c->client, &v[0]);
	take_string(&c->display, &v[1]);
}

enum {
	ID,
	CLIENT,
	REMOTE,
	CAUSE,
	LIMIT,
	REASON,
	WORKER,
	CONNECTED_AT,
	CLOSED_AT,
	AGE,
	MESSAGES,
	BYTES_IN,
	BYTES_OUT,
	LAG,
	CODE,
	FIELDS
};

static void
read_numbers(struct connline *c, const struct json_value *v)
{
	c->worker = number_of(&v[WORKER]);
	c->connected_ms = number_of(&v[CONNECTED_AT]);
	c->closed_ms = number_of(&v[CLOSED_AT]);
	c->age_ms = number_of(&v[AGE]);
	c->has_age = c->connected_ms != 0;
	c->messages = number_of(&v[MESSAGES]);
	c->bytes_in = number_of(&v[BYTES_IN]);
	c->bytes_out = number_of(&v[BYTES_OUT]);
	c->has_bytes = v[BYTES_IN].kind == JSON_NUMBER && v[BYTES_OUT].kind == JSON_NUMBER;
	c->lag = number_of(&v[LAG]);
	c->code = number_of(&v[CODE]);
}

bool
connline_read(struct connline *ret, struct span json)
{
	static const struct json_field fields[FIELDS] = { [ID] = { "connId", NULL },
		[CLIENT] = { "client", NULL },
		[REMOTE] = { "remote", NULL },
		[CAUSE] = { "cause", NULL },
		[LIMIT] = { "limit", NULL },
		[REASON] = { "reason", NULL },
		[WORKER] = { "worker", NULL },
		[CONNECTED_AT] = { "connectedAt", NULL },
		[CLOSED_AT] = { "closedAt", NULL },
		[AGE] = { "ageMs", NULL },
		[MESSAGES] = { "messages", NULL },
		[BYTES_IN] = { "bytesIn", NULL },
		[BYTES_OUT] = { "bytesOut", NULL },
		[LAG] = { "lag", NULL },
		[CODE] = { "code", NULL } };
	struct json_value v[FIELDS];
	struct json_fault fault;

	*ret = (struct connline){ 0 };
	if (json_object_scan(json, fields, FIELDS, v, JSON_KEYS_MAX, &fault) != 0)
		return false;
	take_string(&ret->id, &v[ID]);
	take_string(&ret->remote, &v[REMOTE]);
	take_string(&ret->cause, &v[CAUSE]);
	take_string(&ret->limit, &v[LIMIT]);
	take_string(&ret->reason, &v[REASON]);
	if (v[CLIENT].kind == JSON_OBJECT)
		read_client(ret, v[CLIENT].text);
	read_numbers(ret, v);
	return true;
}

void
connline_fini(struct connline *c)
{
	struct buf *texts[] = { &c->id, &c->client, &c->display, &c->remote, &c->cause, &c->limit,
		&c->reason };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		buf_fini(texts[i]);
}

uint64_t
connline_age_ms(const struct connline *c, uint64_t now_ms)
{
	if (!c->has_age)
		return 0;
	if (c->closed_ms != 0)
		return c->age_ms;
	return now_ms > c->connected_ms ? now_ms - c->connected_ms : 0;
}
