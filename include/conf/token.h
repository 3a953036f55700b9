/*
 * One entry of the token table in the making: what stands in a list of plain strings, in an object of
 * a configuration file, or in a line of a token file.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/jsonw.h"
#include "base/macros.h"
#include "base/span.h"
#include "conf/data.h"

enum {
	TOKEN_NAME_MAX = 64,
	TOKENS_MAX = 1024, /* of one list */
	TOKEN_EVENTS_MAX = 256,
};

/* Frees what the entry holds, and wipes it. */
void token_fini(struct conf_token *);

/* Sets the name: 1 to TOKEN_NAME_MAX letters, digits and "._-". 0; -EINVAL; -ENOMEM. */
int token_set_name(struct conf_token *, struct span) must_check;

/* Sets the secret, or its digest when it is written as "sha256:HEX". 0; -EINVAL; -ENOMEM. */
int token_set_secret(struct conf_token *, struct span) must_check;

/* Adds a scope by its name. 0; -EINVAL: there is none of that name. */
int token_add_scope(struct conf_token *, struct span) must_check;

/* Adds a pattern of the events that may be published. 0; -EINVAL: it is none, or too many; -ENOMEM. */
int token_add_event(struct conf_token *, struct span) must_check;

/*
 * Sets the end: "2027-01-31", which is the beginning of that day in UTC, or "2027-01-31T12:00:00Z". 0
 * or -EINVAL.
 */
int token_set_expires(struct conf_token *, struct span) must_check;

/* Reads one line of a token file: SECRET [name=N] [scopes=A,B] [events=P,Q] [expires=T]. As above. */
int token_read_line(struct conf_token *, struct span line, const char **ret_fault) must_check;

/* Adds the entry, which is taken over, also on failure. 0; -E2BIG: TOKENS_MAX are there; -ENOMEM. */
int tokens_append_take(struct conf_tokens *, struct conf_token *) must_check;

/* Whether both lists have the same entries in the same order. */
bool tokens_are_equal(const struct conf_tokens *, const struct conf_tokens *);

/* Makes an empty list a copy of another one. 0, or -ENOMEM, and it is empty. */
int tokens_copy(struct conf_tokens *to, const struct conf_tokens *from) must_check;

/* Frees all entries; the list is empty then. */
void tokens_fini(struct conf_tokens *);

/* Writes it without its secret, for `config show` and `token list`. */
void token_write(const struct conf_token *, struct jsonw *);
