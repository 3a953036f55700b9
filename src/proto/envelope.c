/*
 * From a frame's text to its envelope.
 *
 * The struct is large and lives on the stack of whoever reads a frame: only what a frame needs is
 * written, never the stores as a whole. Type and id are read whenever the text was an object at all,
 * so that a refusal can be answered under the frame's own id.
 */
#include "proto/envelope.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "proto/names.h"

enum {
	FIELD_TYPE,
	FIELD_ID,
	FIELD_METHOD,
	FIELD_PARAMS,
	FIELD_SESSION_KEY,
	FIELD_TIMEOUT_MS,
	FIELD_IDEMPOTENCY_KEY,
	FIELD_PAYLOAD,
	FIELD_RESULT,
	FIELD_ERROR,
	FIELD_COUNT,
};

enum { TYPE_TEXT_MAX = 16 };

static const struct json_field fields[FIELD_COUNT] = {
	[FIELD_TYPE] = { "type", NULL },
	[FIELD_ID] = { "id", NULL },
	[FIELD_METHOD] = { "method", NULL },
	[FIELD_PARAMS] = { "params", NULL },
	[FIELD_SESSION_KEY] = { "sessionKey", "session_key" },
	[FIELD_TIMEOUT_MS] = { "timeoutMs", NULL },
	[FIELD_IDEMPOTENCY_KEY] = { "idempotencyKey", NULL },
	[FIELD_PAYLOAD] = { "payload", NULL },
	[FIELD_RESULT] = { "result", NULL },
	[FIELD_ERROR] = { "error", NULL },
};

static const struct {
	const char *name;
	enum envelope_type type;
} types[] = {
	{ "request", ENVELOPE_REQUEST },
	{ "response", ENVELOPE_RESPONSE },
	{ "progress", ENVELOPE_PROGRESS },
	{ "cancel", ENVELOPE_CANCEL },
	{ "hello", ENVELOPE_HELLO },
};

static bool
is_given(const struct json_value *value)
{
	return value->kind != JSON_ABSENT && value->kind != JSON_NULL;
}

static enum envelope_type
read_type(const struct json_value *value)
{
	char text[TYPE_TEXT_MAX];
	size_t len, i;

	if (value->kind != JSON_STRING ||
	    json_string_decode(value->text, text, sizeof(text), &len) < 0)
		return ENVELOPE_UNKNOWN;
	for (i = 0; i < ARRAY_LEN(types); i++) {
		if (span_is(span_make(text, len), types[i].name))
			return types[i].type;
	}
	return ENVELOPE_UNKNOWN;
}

static void
set_type_fault(struct envelope_fault *fault, const struct json_value *value)
{
	static const char wanted[] = "\"request\", \"response\", \"progress\", \"cancel\" or "
				     "\"hello\"";

	if (value->kind != JSON_STRING)
		envelope_fault_set_kind(fault, "type", value->kind, wanted);
	else
		envelope_fault_set(
		    fault, "unknown-type", "type", "type is unknown; it must be %s.", wanted);
}

/* Reads a string that may be absent into its store. */
static int
read_string(const struct json_value *value, const char *field, char *store, size_t max,
    struct span *ret, struct envelope_fault *fault)
{
	size_t len;

	if (!is_given(value))
		return 0;
	if (envelope_fault_check_string(fault, field, value, 1, max, store, &len) < 0)
		return -EBADMSG;
	*ret = span_make(store, len);
	return 0;
}

static int
read_method(const struct json_value *value, struct envelope *ret, struct envelope_fault *fault)
{
	size_t len;

	if (envelope_fault_check_string(
		fault, "method", value, 1, sizeof(ret->method_store), ret->method_store, &len) < 0)
		return -EBADMSG;
	ret->method = span_make(ret->method_store, len);
	if (name_is_valid(ret->method))
		return 0;
	envelope_fault_set(fault, "invalid-field", "method",
	    "method must be words of letters, digits, _ and - with dots between them.");
	return -EBADMSG;
}

static int
read_timeout(const struct json_value *value, struct envelope *ret, struct envelope_fault *fault)
{
	int64_t ms;

	if (!is_given(value))
		return 0;
	if (value->kind != JSON_NUMBER) {
		envelope_fault_set_kind(
		    fault, "timeoutMs", value->kind, "an integer of 1 to 600000");
		return -EBADMSG;
	}
	if (json_integer_read(value->text, 1, ENVELOPE_TIMEOUT_MS_MAX, &ms) < 0) {
		envelope_fault_set(fault, "invalid-field", "timeoutMs",
		    "timeoutMs must be an integer of 1 to %d.", ENVELOPE_TIMEOUT_MS_MAX);
		return -EBADMSG;
	}
	ret->timeout_ms = (uint32_t)ms;
	return 0;
}

/* Takes a field that is an object where it is given. */
static int
read_object(const struct json_value *value, const char *field, struct json_value *ret,
    struct envelope_fault *fault)
{
	if (!is_given(value))
		return 0;
	if (value->kind != JSON_OBJECT) {
		envelope_fault_set_kind(fault, field, value->kind, "an object");
		return -EBADMSG;
	}
	*ret = *value;
	return 0;
}

static int
read_request(const struct json_value *values, struct envelope *ret, struct envelope_fault *fault)
{
	if (read_method(&values[FIELD_METHOD], ret, fault) < 0 ||
	    read_object(&values[FIELD_PARAMS], "params", &ret->params, fault) < 0 ||
	    read_string(&values[FIELD_SESSION_KEY], "sessionKey", ret->session_key_store,
		sizeof(ret->session_key_store), &ret->session_key, fault) < 0 ||
	    read_timeout(&values[FIELD_TIMEOUT_MS], ret, fault) < 0)
		return -EBADMSG;
	return read_string(&values[FIELD_IDEMPOTENCY_KEY], "idempotencyKey",
	    ret->idempotency_key_store, sizeof(ret->idempotency_key_store), &ret->idempotency_key,
	    fault);
}

static int
read_response(const struct json_value *values, struct envelope *ret, struct envelope_fault *fault)
{
	if (read_object(&values[FIELD_ERROR], "error", &ret->error, fault) < 0)
		return -EBADMSG;
	if (ret->error.kind == JSON_OBJECT && is_given(&values[FIELD_RESULT])) {
		envelope_fault_set(fault, "invalid-field", "error",
		    "A response must have either a result or an error, not both.");
		return -EBADMSG;
	}
	if (ret->error.kind == JSON_ABSENT)
		ret->result = values[FIELD_RESULT];
	return 0;
}

static int
read_body(const struct json_value *values, struct envelope *ret, struct envelope_fault *fault)
{
	switch (ret->type) {
	case ENVELOPE_REQUEST:
		return read_request(values, ret, fault);
	case ENVELOPE_RESPONSE:
		return read_response(values, ret, fault);
	case ENVELOPE_PROGRESS:
		ret->payload = values[FIELD_PAYLOAD];
		return 0;
	case ENVELOPE_CANCEL:
	case ENVELOPE_HELLO:
	case ENVELOPE_UNKNOWN:
		break;
	}
	return 0;
}

/* Everything but the stores. */
void
envelope_init(struct envelope *envelope)
{
	static const struct json_value absent = { .kind = JSON_ABSENT };
	static const struct span none = { 0 };

	envelope->type = ENVELOPE_UNKNOWN;
	envelope->timeout_ms = ENVELOPE_TIMEOUT_MS_DEFAULT;
	envelope->id = envelope->method = none;
	envelope->session_key = envelope->idempotency_key = none;
	envelope->params = envelope->payload = absent;
	envelope->result = envelope->error = absent;
}

int
envelope_parse(struct span text, struct envelope *ret, struct envelope_fault *ret_fault)
{
	struct json_value values[FIELD_COUNT];
	struct json_fault why;
	size_t len;
	int r, r_id;

	envelope_init(ret);
	r = json_object_scan(text, fields, FIELD_COUNT, values, JSON_KEYS_MAX, &why);
	ret->type = read_type(&values[FIELD_TYPE]);
	r_id = envelope_fault_check_string(
	    ret_fault, "id", &values[FIELD_ID], 1, sizeof(ret->id_store), ret->id_store, &len);
	if (r_id == 0)
		ret->id = span_make(ret->id_store, len);
	if (r < 0) {
		envelope_fault_set_json(ret_fault, r, &why, "");
		return -EBADMSG;
	}
	if (ret->type == ENVELOPE_UNKNOWN) {
		set_type_fault(ret_fault, &values[FIELD_TYPE]);
		return -EBADMSG;
	}
	if (ret->type == ENVELOPE_HELLO)
		return 0;
	return r_id < 0 ? r_id : read_body(values, ret, ret_fault);
}
