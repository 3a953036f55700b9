/*
 * What was wrong with something that a peer said in JSON, ready to be answered.
 *
 * Whoever reads a peer's frame, hello or params reports through this one struct, so that every
 * refusal has a stable word, the path of the field, and a sentence that says what would be right.
 */
#pragma once

#include <stddef.h>

#include "base/macros.h"
#include "proto/errors.h"
#include "proto/json.h"

enum {
	ENVELOPE_FAULT_FIELD_MAX = 63,
	ENVELOPE_FAULT_SENTENCE_MAX = 200,
};

/*
 * The reasons, stable words of the protocol:
 *   invalid-json       not RFC 8259 JSON, too deep, or not UTF-8
 *   not-an-object      JSON, but no object
 *   duplicate-key      a key came twice where none may
 *   too-many-keys      more than JSON_KEYS_MAX keys in one object
 *   unknown-type       "type" is not one of the protocol's
 *   missing-field      a required field is absent or null
 *   invalid-field      a field has the wrong type, length, range or form
 *   hello-expected     the first frame was no hello
 *   protocol-mismatch  no common protocol version
 */
struct envelope_fault {
	enum error_code code;
	const char *reason;				/* static, one of the above */
	char field[ENVELOPE_FAULT_FIELD_MAX + 1];	/* a path like client.mode; "" for none */
	char sentence[ENVELOPE_FAULT_SENTENCE_MAX + 1]; /* what was wrong, what would be right */
};

/*
 * Writes a fault: code INVALID_REQUEST, a static reason, a field path (NULL for none; cut when too
 * long) and a printf-style sentence, cut when too long; cuts are made between characters.
 */
void envelope_fault_set(struct envelope_fault *fault, const char *reason, const char *field,
    const char *format, ...) printf_like(4, 5);

/*
 * Writes the fault for a failed json_object_scan: r is its result (-EBADMSG, -EPROTOTYPE, -EEXIST or
 * -E2BIG) and why its fault. path is the place of the object that was scanned, "" for the frame.
 */
void envelope_fault_set_json(
    struct envelope_fault *fault, int r, const struct json_fault *why, const char *path);

/*
 * Writes the fault for a field that has the wrong kind of value: missing-field where it is absent or
 * null, else invalid-field. wanted says what it must be: "an object", "a string of 1 to 128 bytes".
 */
void envelope_fault_set_kind(
    struct envelope_fault *fault, const char *field, enum json_kind kind, const char *wanted);

/*
 * Writes the fault for a field that should be a string of min..max bytes. kind is the kind of its
 * value; r, where that is a string, what decoding it gave: -EILSEQ, -ENOSPC for too long, 0 for too
 * short.
 */
void envelope_fault_set_string(struct envelope_fault *fault, const char *field, enum json_kind kind,
    int r, size_t min, size_t max);

/*
 * Decodes the string of a field and checks that it has min..max bytes. store has room for max
 * bytes. Returns 0 and the bytes written in *ret_len; or -EBADMSG and the fault, also when value is
 * no string.
 */
int envelope_fault_check_string(struct envelope_fault *fault, const char *field,
    const struct json_value *value, size_t min, size_t max, char *store,
    size_t *ret_len) must_check;
