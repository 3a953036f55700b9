/*
 * The members of one JSON object, read by a table: kinds, bounds, and faults that name the field.
 *
 * A built-in method describes its params in a few rows and gets checked, decoded values. The hello
 * is read with the same tables. Unknown members are ignored, null means absent, no key may come
 * twice, and an object has at most JSON_KEYS_MAX keys.
 *
 *	static const struct param table[] = {
 *		{ .name = "connId", .kind = PARAM_STRING, .required = true, .min = 8, .max = 8 },
 *		{ .name = "reason", .kind = PARAM_STRING, .min = 0, .max = 123 },
 *	};
 *	struct params params;
 *
 *	r = params_read(&params, envelope->params.text, "params", table, ARRAY_LEN(table), &fault);
 *	if (r < 0)
 *		…answer with the fault, or INTERNAL_ERROR for -ENOMEM…
 *	…params.values[0].string…
 *	params_fini(&params);
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/span.h"
#include "proto/envelope_fault.h"
#include "proto/json.h"

enum {
	PARAMS_MAX = 16, /* rows of one table */
};

enum param_kind {
	PARAM_STRING,  /* min..max bytes after decoding */
	PARAM_CHOICE,  /* a string, one of choices; its index becomes integer */
	PARAM_INTEGER, /* min..max, an integer literal */
	PARAM_BOOL,
	PARAM_STRINGS, /* array of min..max strings, each of 1..item_max bytes after decoding */
	PARAM_OBJECT,  /* an object, given as its text; it is not looked into */
	PARAM_ANY,     /* any value but null, given as its text */
};

/* One row. name is the wire name, alias NULL or a second spelling, with the same first byte. */
struct param {
	const char *name;
	const char *alias;
	enum param_kind kind;
	bool required;
	int64_t min, max;
	int64_t item_max;
	const char *const *choices; /* PARAM_CHOICE: ends with NULL */
};

/*
 * One value. Strings are decoded; they point into the text that was read, or into memory of the
 * struct params, and live as long as both.
 */
struct param_value {
	bool is_present;
	bool boolean;
	int64_t integer;
	struct span string;
	const struct span *strings;
	size_t strings_count;
	struct json_value json; /* the value as it was written, for every kind */
};

/* values[i] belongs to row i of the table. Ended by params_fini. */
struct params {
	struct param_value values[PARAMS_MAX];
	void *
	    store; /* what had to be decoded, and the arrays of strings; NULL when nothing had to */
};

/*
 * Reads the object text by a table of at most PARAMS_MAX rows. text may be empty: then everything is
 * absent. path is where the object stands ("params", "client", or "" for the frame itself) and
 * begins the fields that faults name.
 *
 * Returns 0 and fills *ret, which the caller ends with params_fini; -EBADMSG and *ret_fault when the
 * text does not fit the table; -ENOMEM. On failure *ret needs no params_fini.
 */
int params_read(struct params *ret, struct span text, const char *path, const struct param *table,
    size_t count, struct envelope_fault *ret_fault) must_check;

/* Gives back the memory of a struct params; the values are gone. A zeroed one is allowed. */
void params_fini(struct params *params);
