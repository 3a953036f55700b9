/*
 * JSON text read in place: the members of an object, the elements of an array, the values of
 * strings and numbers. The grammar itself is jsonscan's.
 *
 * Invariant of an object scan: the text is always read to its end, so that "not valid" is never
 * hidden behind a complaint about keys.
 */
#include "proto/json.h"

#include <errno.h>
#include <string.h>

#include "base/parse.h"
#include "proto/jsonkeys.h"
#include "proto/jsonscan.h"
#include "proto/jsontext.h"

enum { INTEGER_TEXT_MAX = 20 };

/* A scan of one object under way. */
struct scan {
	struct jsonscan at;
	const struct json_field *fields;
	size_t nfields;
	struct json_value *values;
	uint64_t met;		 /* bit i: fields[i] came */
	unsigned keys;		 /* of the top object, so far */
	struct jsonkeys unknown; /* those that are no field */
	struct span duplicate;	 /* the first that came again; p == NULL: none */
};

static int
fail(const struct jsonscan *at, struct json_fault *ret_fault)
{
	ret_fault->offset = (size_t)(at->p - at->begin);
	ret_fault->text = at->fault;
	ret_fault->key = span_make(NULL, 0);
	return -EBADMSG;
}

static int
fail_key(struct span text, struct span key, struct json_fault *ret_fault)
{
	ret_fault->offset = (size_t)(key.p - text.p);
	ret_fault->text = "each key may come once only";
	ret_fault->key = key;
	return -EEXIST;
}

static int
fail_whole(int r, const char *why, struct json_fault *ret_fault)
{
	ret_fault->offset = 0;
	ret_fault->text = why;
	ret_fault->key = span_make(NULL, 0);
	return r;
}

/* The index of the field that this key is, nfields when it is none. */
static size_t
find_field(const struct scan *scan, struct span key)
{
	bool is_plain = key.n == 0 || memchr(key.p, '\\', key.n) == NULL;
	size_t i;

	for (i = 0; i < scan->nfields; i++) {
		const struct json_field *field = &scan->fields[i];

		/* Nearly always the first byte decides; an alias begins as its name does. */
		if (is_plain && (key.n == 0 || key.p[0] != field->name[0]))
			continue;
		if (jsontext_is(key, field->name))
			return i;
		if (field->alias != NULL && jsontext_is(key, field->alias))
			return i;
	}
	return scan->nfields;
}

static void
note_duplicate(struct scan *scan, struct span key)
{
	if (scan->duplicate.p == NULL)
		scan->duplicate = key;
}

static void
take_member(struct scan *scan, struct span key, const struct json_value *value)
{
	size_t i = find_field(scan, key);

	scan->keys++;
	if (i == scan->nfields) {
		if (jsonkeys_add(&scan->unknown, key))
			note_duplicate(scan, key);
	} else if ((scan->met >> i & 1) != 0) {
		scan->values[i].kind = JSON_ABSENT;
		note_duplicate(scan, key);
	} else {
		scan->met |= UINT64_C(1) << i;
		scan->values[i] = *value;
	}
}

/* The cursor is behind the opening brace. */
static bool
scan_members(struct scan *scan)
{
	struct json_value value;
	struct span key;
	bool more = true;

	if (jsonscan_punct(&scan->at, '}'))
		return true;
	while (more) {
		if (!jsonscan_key(&scan->at, &key) || !jsonscan_value(&scan->at, 1, &value) ||
		    !jsonscan_more(&scan->at, '}', &more))
			return false;
		take_member(scan, key, &value);
	}
	return true;
}

static void
forget_values(struct json_value *values, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		values[i].kind = JSON_ABSENT;
		values[i].text = span_make(NULL, 0);
	}
}

int
json_validate(struct span text, struct json_fault *ret_fault)
{
	struct json_value value;
	struct jsonscan at;

	jsonscan_init(&at, text);
	jsonscan_space(&at);
	if (!jsonscan_value(&at, 0, &value) || !jsonscan_finish(&at))
		return fail(&at, ret_fault);
	return 0;
}

int
json_object_scan(struct span text, const struct json_field *fields, size_t nfields,
    struct json_value *values, unsigned max_keys, struct json_fault *ret_fault)
{
	struct scan scan = { .fields = fields, .nfields = nfields, .values = values };
	int r;

	forget_values(values, nfields);
	if (nfields > JSON_FIELDS_MAX || max_keys > JSON_KEYS_MAX)
		return fail_whole(-EINVAL, "too many fields or keys are wanted", ret_fault);
	jsonscan_init(&scan.at, text);
	if (!jsonscan_punct(&scan.at, '{')) {
		r = json_validate(text, ret_fault);
		return r < 0 ? r : fail_whole(-EPROTOTYPE, "an object is wanted", ret_fault);
	}
	if (!scan_members(&scan) || !jsonscan_finish(&scan.at)) {
		forget_values(values, nfields);
		return fail(&scan.at, ret_fault);
	}
	if (scan.keys > max_keys)
		return fail_whole(-E2BIG, "an object must not have so many keys", ret_fault);
	if (scan.duplicate.p == NULL && scan.unknown.is_undecided &&
	    !jsonkeys_find_duplicate(text, &scan.duplicate))
		return 0;
	return scan.duplicate.p == NULL ? 0 : fail_key(text, scan.duplicate, ret_fault);
}

int
json_array_next(struct span array_text, size_t *cursor, struct json_value *ret)
{
	struct jsonscan at;
	bool more;

	jsonscan_init(&at, array_text);
	if (*cursor == 0) {
		if (!jsonscan_punct(&at, '[') || jsonscan_punct(&at, ']'))
			return 0;
	} else if (*cursor > array_text.n) {
		return 0;
	} else {
		at.p += *cursor;
		if (!jsonscan_more(&at, ']', &more) || !more)
			return 0;
	}
	jsonscan_space(&at);
	if (!jsonscan_value(&at, 1, ret))
		return 0;
	*cursor = (size_t)(at.p - at.begin);
	return 1;
}

/* What stands between the quotes; false for what is no string. */
static bool
strip_quotes(struct span string_text, struct span *ret)
{
	if (string_text.n < 2 || string_text.p[0] != '"' || string_text.p[string_text.n - 1] != '"')
		return false;
	*ret = span_make(string_text.p + 1, string_text.n - 2);
	return true;
}

int
json_string_decode(struct span string_text, char *out, size_t cap, size_t *ret_len)
{
	struct span inner, piece;
	struct jsontext walk;
	size_t len = 0;

	if (!strip_quotes(string_text, &inner))
		return -EINVAL;
	jsontext_init(&walk, inner);
	while (jsontext_next(&walk, &piece)) {
		if (walk.has_lone)
			return -EILSEQ;
		if (piece.n > cap - len)
			return -ENOSPC;
		memcpy(out + len, piece.p, piece.n);
		len += piece.n;
	}
	*ret_len = len;
	return 0;
}

size_t
json_string_decoded_length(struct span string_text)
{
	struct span inner, piece;
	struct jsontext walk;
	size_t len = 0;

	if (!strip_quotes(string_text, &inner))
		return 0;
	jsontext_init(&walk, inner);
	while (jsontext_next(&walk, &piece))
		len += piece.n;
	return len;
}

int
json_string_append(struct buf *out, struct span string_text)
{
	struct span inner;
	size_t len;
	int r;

	if (!strip_quotes(string_text, &inner))
		return -EINVAL;
	/* A string's value is never longer than its text. */
	if (!buf_reserve(out, string_text.n))
		return -ENOMEM;
	r = json_string_decode(string_text, out->data + out->len, string_text.n, &len);
	if (r < 0)
		return r;
	out->len += len;
	return 0;
}

bool
json_string_is_plain(struct span string_text)
{
	struct span inner;

	return strip_quotes(string_text, &inner) &&
	       (inner.n == 0 || memchr(inner.p, '\\', inner.n) == NULL);
}

int
json_integer_read(struct span number_text, int64_t min, int64_t max, int64_t *ret)
{
	struct span digits = number_text;
	size_t i;

	if (digits.n > 0 && digits.p[0] == '-')
		digits = span_skip(digits, 1);
	for (i = 0; i < digits.n; i++) {
		if (digits.p[i] < '0' || digits.p[i] > '9')
			return -EINVAL;
	}
	if (digits.n > INTEGER_TEXT_MAX)
		return -ERANGE;
	if (min < -JSON_INTEGER_MAX)
		min = -JSON_INTEGER_MAX;
	if (max > JSON_INTEGER_MAX)
		max = JSON_INTEGER_MAX;
	return parse_i64(number_text, min, max, ret);
}

const char *
json_kind_phrase(enum json_kind kind)
{
	switch (kind) {
	case JSON_NULL:
		return "null";
	case JSON_BOOL:
		return "true or false";
	case JSON_NUMBER:
		return "a number";
	case JSON_STRING:
		return "a string";
	case JSON_ARRAY:
		return "an array";
	case JSON_OBJECT:
		return "an object";
	case JSON_ABSENT:
		break;
	}
	return "absent";
}
