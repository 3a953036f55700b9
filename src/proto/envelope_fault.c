/*
 * Sentences about what was wrong. All texts are cut between characters, so that an answer is always
 * valid UTF-8 however long the peer's own words are.
 */
#include "proto/envelope_fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { QUOTED_KEY_MAX = 40 };

/* Copies as much of text as has room in size bytes with a terminator. */
static void
copy_cut(char *out, size_t size, struct span text)
{
	struct span kept = text_cut(text, size - 1);

	if (kept.n > 0)
		memcpy(out, kept.p, kept.n);
	out[kept.n] = '\0';
}

void
envelope_fault_set(
    struct envelope_fault *fault, const char *reason, const char *field, const char *format, ...)
{
	/* As long again as what is kept, so that the cut can be made here. */
	char whole[2 * ENVELOPE_FAULT_SENTENCE_MAX];
	va_list args;

	va_start(args, format);
	if (vsnprintf(whole, sizeof(whole), format, args) < 0)
		whole[0] = '\0';
	va_end(args);
	fault->code = ERROR_INVALID_REQUEST;
	fault->reason = reason;
	copy_cut(fault->field, sizeof(fault->field), span_cstr(field));
	copy_cut(fault->sentence, sizeof(fault->sentence), span_cstr(whole));
}

static void
set_duplicate(struct envelope_fault *fault, struct span key, const char *path)
{
	char shown[QUOTED_KEY_MAX + 1], field[4 * ENVELOPE_FAULT_FIELD_MAX];

	copy_cut(shown, sizeof(shown), key);
	(void)snprintf(field, sizeof(field), "%s%s%s", path, path[0] != '\0' ? "." : "", shown);
	envelope_fault_set(fault, "duplicate-key", field,
	    "The key \"%s\" comes twice; each key may come once only.", shown);
}

void
envelope_fault_set_json(
    struct envelope_fault *fault, int r, const struct json_fault *why, const char *path)
{
	const char *subject = path[0] != '\0' ? path : "The frame";

	switch (r) {
	case -EEXIST:
		set_duplicate(fault, why->key, path);
		return;
	case -E2BIG:
		envelope_fault_set(fault, "too-many-keys", path,
		    "%s has too many keys; it may have %d at most.", subject, JSON_KEYS_MAX);
		return;
	case -EPROTOTYPE:
		envelope_fault_set(
		    fault, "not-an-object", path, "%s must be a JSON object.", subject);
		return;
	default:
		envelope_fault_set(fault, "invalid-json", path,
		    "%s is not valid JSON at byte %zu: %s.", subject, why->offset, why->text);
		return;
	}
}

void
envelope_fault_set_kind(
    struct envelope_fault *fault, const char *field, enum json_kind kind, const char *wanted)
{
	if (kind == JSON_ABSENT || kind == JSON_NULL)
		envelope_fault_set(
		    fault, "missing-field", field, "%s is missing; it must be %s.", field, wanted);
	else
		envelope_fault_set(fault, "invalid-field", field, "%s must be %s, not %s.", field,
		    wanted, json_kind_phrase(kind));
}

void
envelope_fault_set_string(struct envelope_fault *fault, const char *field, enum json_kind kind,
    int r, size_t min, size_t max)
{
	char wanted[64];

	(void)snprintf(wanted, sizeof(wanted), "a string of %zu to %zu bytes", min, max);
	if (kind != JSON_STRING)
		envelope_fault_set_kind(fault, field, kind, wanted);
	else if (r == -EILSEQ)
		envelope_fault_set(fault, "invalid-field", field,
		    "%s has half of a surrogate pair; it must be %s of UTF-8.", field, wanted);
	else
		envelope_fault_set(fault, "invalid-field", field, "%s is too %s; it must be %s.",
		    field, r < 0 ? "long" : "short", wanted);
}

int
envelope_fault_check_string(struct envelope_fault *fault, const char *field,
    const struct json_value *value, size_t min, size_t max, char *store, size_t *ret_len)
{
	size_t len = 0;
	int r = -EINVAL;

	if (value->kind == JSON_STRING)
		r = json_string_decode(value->text, store, max, &len);
	if (r < 0 || len < min) {
		envelope_fault_set_string(fault, field, value->kind, r, min, max);
		return -EBADMSG;
	}
	*ret_len = len;
	return 0;
}
