/*
 * JSON text (RFC 8259, to the letter) read in place: no tree, no allocation, no recursion.
 *
 * A peer's frame is looked at once. That one pass proves the whole text valid and finds the members
 * of its top object; everything that is only passed on (a payload, a provider's params) is then a
 * span of the peer's own bytes, so duplicate keys, "\u0000", 1e300, 9007199254740993 and the order
 * of keys survive by construction.
 *
 * "Valid" means: the grammar of RFC 8259, at most JSON_DEPTH_MAX containers inside each other,
 * numbers of at most JSON_NUMBER_MAX bytes, UTF-8
 * without overlong forms and surrogates, nothing but white space after the value. A lone surrogate
 * written as an escape ("\ud800") is valid text, but cannot be decoded.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/span.h"
#include "proto/jsonvalue.h"

/*
 * A member that the caller wants: a non-empty name, and as alias NULL or a second spelling of it,
 * which must begin with the same byte.
 */
struct json_field {
	const char *name;
	const char *alias;
};

/*
 * Why a text was refused. offset counts bytes from the beginning of the text; text is a static
 * half-sentence that can follow a colon ("a control character must be escaped"); key is, for
 * -EEXIST alone, the second of the equal keys as it was written, without its quotes.
 */
struct json_fault {
	size_t offset;
	const char *text;
	struct span key;
};

/*
 * Proves that text is one valid JSON value with optional white space around it.
 * Returns 0, or -EBADMSG and says in *ret_fault why.
 */
int json_validate(struct span text, struct json_fault *ret_fault) must_check;

/*
 * Proves the whole text valid and finds the named members of its top object.
 *
 * fields[0..nfields) are the members wanted, at most JSON_FIELDS_MAX. values[i] becomes the value of
 * fields[i], pointing into text: kind JSON_ABSENT where the object has no such key, JSON_NULL where
 * it is null. Keys are compared after unescaping. max_keys bounds the keys of the top object; it is
 * at most JSON_KEYS_MAX.
 *
 * No key of the top object may come twice, be it among the fields or not; a name together with its
 * alias is the same key twice. Objects further inside may repeat keys. Time is linear in the text,
 * and n log n in the number of keys whatever these are.
 *
 * Returns
 *   0            all found;
 *   -EBADMSG     not valid JSON, too deep, or not UTF-8;
 *   -EPROTOTYPE  valid JSON, but not an object;
 *   -EEXIST      a key came twice;
 *   -E2BIG       more than max_keys keys;
 *   -EINVAL      nfields or max_keys out of bounds.
 * The text is always read to its end, so -EBADMSG wins over the others. values[] is written in any
 * case. After -EEXIST and -E2BIG it holds what was found, but JSON_ABSENT for a field that came
 * twice; after the other failures everything is JSON_ABSENT. *ret_fault is written on failure.
 */
int json_object_scan(struct span text, const struct json_field *fields, size_t nfields,
    struct json_value *values, unsigned max_keys, struct json_fault *ret_fault) must_check;

/*
 * Goes through the elements of an array. array_text is an array that was proved valid (white space
 * around it allowed); *cursor begins as 0 and belongs to this function. Returns 1 and sets *ret to
 * the next element, or returns 0 at the end, *ret untouched. Text that is no array ends at once.
 */
int json_array_next(struct span array_text, size_t *cursor, struct json_value *ret);

/*
 * Unescapes a string. string_text is valid and has its quotes. Writes at most cap bytes of UTF-8 to
 * out, no terminating NUL; "\u0000" becomes a NUL byte like any other. A decoded string is never
 * longer than its text. Returns 0 and the bytes written in *ret_len; -ENOSPC when they are more than
 * cap; -EILSEQ when there is a lone surrogate; -EINVAL when string_text is no string. On failure out
 * may have been written to.
 */
int json_string_decode(struct span string_text, char *out, size_t cap, size_t *ret_len) must_check;

/*
 * How many bytes json_string_decode writes for this valid string, quotes included; a lone surrogate
 * counts as three. 0 for what is no string.
 */
size_t json_string_decoded_length(struct span string_text);

/*
 * Unescapes a string to the end of out. Returns 0; -EILSEQ for a lone surrogate; -EINVAL for what is
 * no string; -ENOMEM. On failure out keeps the length that it had (and is failed after -ENOMEM).
 */
int json_string_append(struct buf *out, struct span string_text) must_check;

/*
 * True when the valid string string_text, quotes included, has no escapes: then its bytes between
 * the quotes are its value already.
 */
bool json_string_is_plain(struct span string_text);

/*
 * Reads an integer. number_text is a valid JSON number. Only literal integers count: 1.0 and 1e3 are
 * refused. Returns 0 and the value; -EINVAL when it is no integer literal; -ERANGE when it is below
 * min or above max, or outside of -JSON_INTEGER_MAX..JSON_INTEGER_MAX.
 */
int json_integer_read(struct span number_text, int64_t min, int64_t max, int64_t *ret) must_check;

/* "a string", "an array", "null", "absent"…: for sentences about values. Static. */
const char *json_kind_phrase(enum json_kind kind);
