/*
 * Reads and writes the members of struct conf by their row in the table. Types and bounds have been
 * checked by then: see conf/draft.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/jsonw.h"
#include "base/macros.h"
#include "base/span.h"
#include "conf/data.h"
#include "conf/settings.h"

/* Sets a SETTING_BOOL. */
void value_set_bool(struct conf *, const struct setting *, bool);

/* Sets a SETTING_INT, or by its index a SETTING_ENUM; the number fits the member. */
void value_set_integer(struct conf *, const struct setting *, int64_t);

/* Sets a SETTING_STRING to a copy, and frees what it was. 0, or -ENOMEM, and it is as it was. */
int value_set_string(struct conf *, const struct setting *, struct span) must_check;

/* Adds a copy to the end of a SETTING_LIST. 0, or -ENOMEM, and it is as it was. */
int value_append_item(struct conf *, const struct setting *, struct span) must_check;

/* Sets a SETTING_SECRET to the digest of the text, or to none for the empty text. 0; -EINVAL; -ENOMEM. */
int value_set_secret(struct conf *, const struct setting *, struct span) must_check;

/* The list that a SETTING_TOKENS is. */
struct conf_tokens *value_tokens(struct conf *, const struct setting *);
const struct conf_tokens *value_const_tokens(const struct conf *, const struct setting *);

/* What a SETTING_SECRET is. */
struct conf_secret *value_secret(struct conf *, const struct setting *);
const struct conf_secret *value_const_secret(const struct conf *, const struct setting *);

/* Frees what a STRING, LIST, SECRET or TOKENS holds: NULL, no items. Nothing for the other types. */
void value_clear(struct conf *, const struct setting *);

/* The number in a SETTING_INT or SETTING_ENUM. */
int64_t value_integer(const struct conf *, const struct setting *);

/* Whether both configurations have the same value. */
bool value_is_equal(const struct conf *, const struct conf *, const struct setting *);

/* Sets the value to a copy of another configuration's. 0, or -ENOMEM, and it is as it was. */
int value_copy(struct conf *to, const struct conf *from, const struct setting *) must_check;

/* The truth of a SETTING_BOOL. */
bool value_bool(const struct conf *, const struct setting *);

/* The string of a SETTING_STRING. */
const char *value_string(const struct conf *, const struct setting *);

/* The items of a SETTING_LIST, and how many they are. */
char *const *value_items(const struct conf *, const struct setting *, size_t *ret_count);

/* Writes the value as JSON, as a configuration file would state it; "***" for a secret. */
void value_write(const struct conf *, const struct setting *, struct jsonw *);
