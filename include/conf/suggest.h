/*
 * "Did you mean": finds the known word that a misspelt one stands for.
 */
#pragma once

#include <stddef.h>

#include "base/span.h"
#include "conf/settings.h"

/*
 * How many letters must be put in, taken out, replaced or swapped with their neighbour to make b of
 * a, upper and lower case being the same. 3 for more than 2, and for words longer than
 * SETTING_NAME_MAX.
 */
unsigned suggest_distance(struct span a, struct span b);

/* The setting whose key is nearest to this one, at most 2 letters away; NULL: none is. */
const struct setting *suggest_setting(struct span key);

/* The nearest of the words, an array that ends with NULL, in the same way; NULL: none is. */
const char *suggest_word(struct span word, const char *const *words);
