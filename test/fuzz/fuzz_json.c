/*
 * Any bytes as JSON text: validation and the object scan agree, everything that comes out of valid
 * text is valid itself, lies inside it, and decodes to what its length promised.
 */
#include <errno.h>

#include "fuzz.h"
#include "proto/json.h"

static const struct json_field fields[] = { { "id", NULL }, { "sessionKey", "session_key" } };

static void
check_string(struct span text)
{
	size_t wanted = json_string_decoded_length(text), len = 0;
	struct buf buf = { 0 };
	int r = json_string_append(&buf, text);

	must(r == 0 || r == -EILSEQ);
	must(r < 0 || buf.len == wanted);
	must(wanted <= text.n - 2);
	if (r == 0 && wanted > 0) {
		must(json_string_decode(text, buf.data, wanted - 1, &len) == -ENOSPC);
		must(json_string_decode(text, buf.data, wanted, &len) == 0 && len == wanted);
	}
	buf_fini(&buf);
}

static void
check_value(struct span whole, const struct json_value *value)
{
	struct json_fault fault;
	struct json_value element;
	size_t cursor = 0, before;
	int64_t number;

	if (value->kind == JSON_ABSENT)
		return;
	must(value->text.p >= whole.p && value->text.p + value->text.n <= whole.p + whole.n);
	must(json_validate(value->text, &fault) == 0);
	if (value->kind == JSON_STRING)
		check_string(value->text);
	if (value->kind == JSON_NUMBER &&
	    json_integer_read(value->text, INT64_MIN, INT64_MAX, &number) == 0)
		must(number <= JSON_INTEGER_MAX && number >= -JSON_INTEGER_MAX);
	if (value->kind != JSON_ARRAY)
		return;
	for (before = 0; json_array_next(value->text, &cursor, &element) > 0; before = cursor) {
		must(cursor > before);
		must(json_validate(element.text, &fault) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_make((const char *)data, size);
	struct json_value values[ARRAY_LEN(fields)];
	struct json_fault fault;
	bool is_valid = json_validate(text, &fault) == 0;
	size_t i;
	int r;

	must(is_valid || fault.offset <= size);
	r = json_object_scan(text, fields, ARRAY_LEN(fields), values, JSON_KEYS_MAX, &fault);
	must(is_valid == (r != -EBADMSG));
	must(r == 0 || fault.offset <= size);
	for (i = 0; i < ARRAY_LEN(fields); i++)
		check_value(text, &values[i]);
	return 0;
}
