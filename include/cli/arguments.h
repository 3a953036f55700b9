/*
 * Reads what a person typed after a verb: options of the verb, a flag for each setting where the
 * verb takes them, and at most one operand.
 *
 *	--name VALUE   --name=VALUE   -n VALUE   -nVALUE   -f   -fn VALUE   --   OPERAND
 *
 * Options and operand may come in any order; after "--" nothing is an option.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/macros.h"
#include "cli/option.h"

/* What a verb takes. */
struct syntax {
	uint64_t options;    /* bits, see OPTION_BIT */
	bool takes_settings; /* a flag for each row of the settings table */
	const char *operand; /* what the help calls it; NULL: there is none */
};

/* An option as given; value is NULL for OPTION_FLAG, and else points into argv. */
struct occurrence {
	enum option_id id;
	const char *value;
	uint64_t number; /* OPTION_NUMBER */
};

struct arguments {
	struct occurrence *list; /* in the order given */
	size_t count;
	char **settings; /* "gateway.port=8080", as conf_load takes flags */
	size_t setting_count;
	const char *operand; /* NULL: not given */
};

/*
 * Reads argv[0..argc), which must outlive the result. 0: everything fits the syntax, but the
 * operand may be missing. -EINVAL: ret_fault gets a sentence that says what is wrong. -ENOMEM. The
 * result is set in every case and is to be freed by arguments_fini. When --help is among the
 * options, wrong ones behind it are not looked at.
 */
int arguments_parse(struct arguments *ret, const struct syntax *, int argc, char *const *argv,
    struct buf *ret_fault) must_check;

/* Frees what arguments_parse made. */
void arguments_fini(struct arguments *);

/* Whether the option was given. */
bool arguments_has(const struct arguments *, enum option_id);

/* The value of the option, the last one if it was given several times; NULL: not given. */
const char *arguments_text(const struct arguments *, enum option_id);

/* The number of the option, the last one; fallback when it was not given. */
uint64_t arguments_number(const struct arguments *, enum option_id, uint64_t fallback);

/* Walks through all values of an option; the cursor starts at 0. NULL: there are no more. */
const char *arguments_each(const struct arguments *, enum option_id, size_t *cursor);
