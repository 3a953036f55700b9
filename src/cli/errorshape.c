/*
 * Lenient: whatever a gateway of another version sends, what can be understood of it is shown.
 */
#include "cli/errorshape.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "proto/json.h"

/* Decodes a string into a terminated one; empty when it is none. */
static void
take_string(const struct json_value *value, char *out, size_t cap)
{
	struct buf text = { 0 };
	struct span cut;

	out[0] = '\0';
	if (value->kind == JSON_STRING && json_string_append(&text, value->text) == 0) {
		cut = text_cut(buf_span(&text), cap - 1);
		if (cut.n > 0)
			memcpy(out, cut.p, cut.n);
		out[cut.n] = '\0';
	}
	buf_fini(&text);
}

static void
take_reason(const struct json_value *details, struct errorshape *ret)
{
	static const struct json_field fields[] = { { "reason", NULL } };
	struct json_value reason;
	struct json_fault fault;

	if (details->kind == JSON_OBJECT &&
	    json_object_scan(details->text, fields, 1, &reason, JSON_KEYS_MAX, &fault) == 0)
		take_string(&reason, ret->reason, sizeof(ret->reason));
}

int
errorshape_read(struct span json, struct errorshape *ret)
{
	static const struct json_field fields[] = { { "code", NULL }, { "message", NULL },
		{ "details", NULL } };
	struct json_value values[ARRAY_LEN(fields)];
	struct json_fault fault;

	if (json_object_scan(json, fields, ARRAY_LEN(fields), values, JSON_KEYS_MAX, &fault) != 0)
		return -EBADMSG;
	*ret = (struct errorshape){ 0 };
	take_string(&values[0], ret->code, sizeof(ret->code));
	take_string(&values[1], ret->message, sizeof(ret->message));
	take_reason(&values[2], ret);
	return 0;
}

enum cli_status
errorshape_status(const struct errorshape *e)
{
	bool denied = strcmp(e->reason, "unauthorized") == 0 || strcmp(e->reason, "forbidden") == 0;

	return denied ? CLI_UNAUTHORIZED : CLI_FAILED;
}
