/*
 * Values by a table. First it is measured how much memory decoding can take at most, then all of it
 * comes in one block, then every value is checked and written. Strings without escapes, nearly all,
 * need none: they stay where they are in the text.
 *
 *	store   | spans of arrays of strings … | decoded bytes … |
 */
#include "proto/params.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

enum { WANTED_MAX = 160 };

/* What is being read, and the parts of the store that are still free. */
struct reader {
	const char *path;
	const struct param *row;
	struct envelope_fault *fault;
	struct span *spans;
	char *bytes;
};

/* What decoding can take at most. */
struct demand {
	size_t spans, bytes;
};

static bool
has_escapes(struct span text)
{
	return memchr(text.p, '\\', text.n) != NULL;
}

static void
measure_array(const struct param *row, const struct json_value *value, struct demand *demand)
{
	struct json_value element;
	size_t cursor = 0, n = 0;

	/* One more than allowed is enough to find that there are too many. */
	while (n <= (size_t)row->max && json_array_next(value->text, &cursor, &element) > 0)
		n++;
	demand->spans += n;
	if (has_escapes(value->text))
		demand->bytes += value->text.n;
}

static void
measure(const struct param *row, const struct json_value *value, struct demand *demand)
{
	if (row->kind == PARAM_STRINGS && value->kind == JSON_ARRAY)
		measure_array(row, value, demand);
	if ((row->kind == PARAM_STRING || row->kind == PARAM_CHOICE) &&
	    value->kind == JSON_STRING && has_escapes(value->text))
		demand->bytes += value->text.n;
}

/* The path of the row's field: "client.mode", "params.events". */
static void
put_field(const struct reader *reader, char field[ENVELOPE_FAULT_FIELD_MAX + 1])
{
	(void)snprintf(field, ENVELOPE_FAULT_FIELD_MAX + 1, "%s%s%s", reader->path,
	    reader->path[0] != '\0' ? "." : "", reader->row->name);
}

static int
refuse_kind(const struct reader *reader, const struct json_value *value, const char *wanted)
{
	char field[ENVELOPE_FAULT_FIELD_MAX + 1];

	put_field(reader, field);
	envelope_fault_set_kind(reader->fault, field, value->kind, wanted);
	return -EBADMSG;
}

/* The kind was right, the value is not. */
static int
refuse_value(const struct reader *reader, const char *wanted)
{
	char field[ENVELOPE_FAULT_FIELD_MAX + 1];

	put_field(reader, field);
	envelope_fault_set(reader->fault, "invalid-field", field, "%s must be %s.", field, wanted);
	return -EBADMSG;
}

/* Takes a string's value without looking at its length. 0, or -EILSEQ. */
static int
take_string(struct reader *reader, struct span text, struct span *ret)
{
	size_t len;
	int r;

	if (!has_escapes(text)) {
		*ret = span_make(text.p + 1, text.n - 2);
		return 0;
	}
	r = json_string_decode(text, reader->bytes, text.n, &len);
	if (r < 0)
		return r;
	*ret = span_make(reader->bytes, len);
	reader->bytes += len;
	return 0;
}

static int
read_string(struct reader *reader, struct param_value *ret)
{
	size_t min = (size_t)reader->row->min, max = (size_t)reader->row->max;
	char field[ENVELOPE_FAULT_FIELD_MAX + 1];
	int r = -EINVAL;

	if (ret->json.kind == JSON_STRING) {
		r = take_string(reader, ret->json.text, &ret->string);
		if (r == 0 && ret->string.n >= min && ret->string.n <= max)
			return 0;
		if (r == 0 && ret->string.n > max)
			r = -ENOSPC;
	}
	put_field(reader, field);
	envelope_fault_set_string(reader->fault, field, ret->json.kind, r, min, max);
	return -EBADMSG;
}

/* Writes `"app", "web" or "cli"`. */
static void
put_choices(char out[WANTED_MAX], const char *const *choices)
{
	size_t n = 0, i;

	out[0] = '\0';
	for (i = 0; choices[i] != NULL && n < WANTED_MAX; i++) {
		const char *between = i == 0 ? "" : choices[i + 1] == NULL ? " or " : ", ";
		int r = snprintf(out + n, WANTED_MAX - n, "%s\"%s\"", between, choices[i]);

		n += r > 0 ? (size_t)r : 0;
	}
}

static int
read_choice(struct reader *reader, struct param_value *ret)
{
	char wanted[WANTED_MAX];
	size_t i;

	put_choices(wanted, reader->row->choices);
	if (ret->json.kind != JSON_STRING)
		return refuse_kind(reader, &ret->json, wanted);
	if (take_string(reader, ret->json.text, &ret->string) < 0)
		return refuse_value(reader, wanted);
	for (i = 0; reader->row->choices[i] != NULL; i++) {
		if (span_is(ret->string, reader->row->choices[i])) {
			ret->integer = (int64_t)i;
			return 0;
		}
	}
	return refuse_value(reader, wanted);
}

static int
read_integer(struct reader *reader, struct param_value *ret)
{
	const struct param *row = reader->row;
	char wanted[WANTED_MAX];

	if (ret->json.kind == JSON_NUMBER &&
	    json_integer_read(ret->json.text, row->min, row->max, &ret->integer) == 0)
		return 0;
	(void)snprintf(
	    wanted, sizeof(wanted), "an integer of %" PRId64 " to %" PRId64, row->min, row->max);
	if (ret->json.kind != JSON_NUMBER)
		return refuse_kind(reader, &ret->json, wanted);
	return refuse_value(reader, wanted);
}

static int
refuse_element(const struct reader *reader, size_t i, const struct json_value *element, int r)
{
	char field[ENVELOPE_FAULT_FIELD_MAX + 1], path[ENVELOPE_FAULT_FIELD_MAX + 1];
	size_t max = (size_t)reader->row->item_max;

	put_field(reader, path);
	(void)snprintf(field, sizeof(field), "%.40s[%zu]", path, i);
	if (element->kind == JSON_STRING)
		envelope_fault_set_string(reader->fault, field, JSON_STRING, r, 1, max);
	else
		envelope_fault_set(reader->fault, "invalid-field", field,
		    "%s must be a string of 1 to %zu bytes, not %s.", field, max,
		    json_kind_phrase(element->kind));
	return -EBADMSG;
}

/* The next element of an array of strings; i is its index. */
static int
read_element(struct reader *reader, size_t i, const struct json_value *element, struct span *ret)
{
	size_t max = (size_t)reader->row->item_max;
	int r;

	if (element->kind != JSON_STRING)
		return refuse_element(reader, i, element, 0);
	r = take_string(reader, element->text, ret);
	if (r == 0 && ret->n > max)
		r = -ENOSPC;
	if (r < 0 || ret->n == 0)
		return refuse_element(reader, i, element, r);
	return 0;
}

static int
read_strings(struct reader *reader, struct param_value *ret)
{
	const struct param *row = reader->row;
	struct json_value element;
	char wanted[WANTED_MAX];
	size_t cursor = 0, n = 0;

	(void)snprintf(wanted, sizeof(wanted), "an array of %" PRId64 " to %" PRId64 " strings",
	    row->min, row->max);
	if (ret->json.kind != JSON_ARRAY)
		return refuse_kind(reader, &ret->json, wanted);
	ret->strings = reader->spans;
	while (json_array_next(ret->json.text, &cursor, &element) > 0) {
		if (n == (size_t)row->max)
			return refuse_value(reader, wanted);
		if (read_element(reader, n, &element, &reader->spans[n]) < 0)
			return -EBADMSG;
		n++;
	}
	if (n < (size_t)row->min)
		return refuse_value(reader, wanted);
	ret->strings_count = n;
	if (n > 0)
		reader->spans += n;
	return 0;
}

static int
read_bool(struct reader *reader, struct param_value *ret)
{
	if (ret->json.kind != JSON_BOOL)
		return refuse_kind(reader, &ret->json, "true or false");
	ret->boolean = ret->json.text.p[0] == 't';
	return 0;
}

/* Reads the value of the reader's row, which is there or required. */
static int
read_value(struct reader *reader, struct param_value *ret)
{
	switch (reader->row->kind) {
	case PARAM_STRING:
		return read_string(reader, ret);
	case PARAM_CHOICE:
		return read_choice(reader, ret);
	case PARAM_INTEGER:
		return read_integer(reader, ret);
	case PARAM_BOOL:
		return read_bool(reader, ret);
	case PARAM_STRINGS:
		return read_strings(reader, ret);
	case PARAM_OBJECT:
		if (ret->json.kind != JSON_OBJECT)
			return refuse_kind(reader, &ret->json, "an object");
		return 0;
	case PARAM_ANY:
		break;
	}
	return ret->is_present ? 0 : refuse_kind(reader, &ret->json, "a value other than null");
}

/* Finds the members of the object; all absent where there is no text. */
static int
find_members(struct params *ret, struct span text, const char *path, const struct param *table,
    size_t count, struct envelope_fault *fault)
{
	struct json_field fields[PARAMS_MAX] = { { NULL, NULL } };
	struct json_value values[PARAMS_MAX] = { 0 };
	struct json_fault why;
	size_t i;
	int r = 0;

	assert(count <= PARAMS_MAX);
	for (i = 0; i < count; i++) {
		fields[i].name = table[i].name;
		fields[i].alias = table[i].alias;
	}
	if (text.n > 0)
		r = json_object_scan(text, fields, count, values, JSON_KEYS_MAX, &why);
	if (r < 0) {
		envelope_fault_set_json(fault, r, &why, path);
		return -EBADMSG;
	}
	for (i = 0; i < count; i++) {
		ret->values[i] = (struct param_value){ .json = values[i] };
		ret->values[i].is_present =
		    values[i].kind != JSON_ABSENT && values[i].kind != JSON_NULL;
	}
	return 0;
}

/* One block for all that has to be decoded; none where nothing has. */
static int
make_store(struct params *ret, const struct param *table, size_t count, struct reader *reader)
{
	struct demand demand = { 0 };
	size_t i;

	for (i = 0; i < count; i++)
		measure(&table[i], &ret->values[i].json, &demand);
	if (demand.spans == 0 && demand.bytes == 0)
		return 0;
	ret->store = mem_alloc(demand.spans * sizeof(struct span) + demand.bytes);
	if (ret->store == NULL)
		return -ENOMEM;
	reader->spans = ret->store;
	reader->bytes = (char *)(reader->spans + demand.spans);
	return 0;
}

int
params_read(struct params *ret, struct span text, const char *path, const struct param *table,
    size_t count, struct envelope_fault *ret_fault)
{
	struct reader reader = { .path = path, .fault = ret_fault };
	size_t i;
	int r;

	ret->store = NULL;
	r = find_members(ret, text, path, table, count, ret_fault);
	if (r < 0)
		return r;
	r = make_store(ret, table, count, &reader);
	if (r < 0)
		return r;
	for (i = 0; i < count && r == 0; i++) {
		reader.row = &table[i];
		if (ret->values[i].is_present || table[i].required)
			r = read_value(&reader, &ret->values[i]);
	}
	if (r == 0)
		return 0;
	params_fini(ret);
	return r;
}

void
params_fini(struct params *params)
{
	mem_free(params->store);
	params->store = NULL;
}
