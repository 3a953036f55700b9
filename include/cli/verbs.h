/*
 * The table of everything that can be typed. Each verb stands here once, with its help, the options
 * it takes and the function that does it; help texts follow from the table, and the manual is tested
 * against it (test/check-docs reads the paths in src/cli/verbs.c, one `.path = "gateway start"` for
 * each verb).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cli/verb.h"

extern const struct verb verbs[];

/* The number of rows. */
size_t verbs_count(void);

/*
 * The verb whose words argv[0..argc) begins with; *ret_used becomes their number. NULL: none; then
 * *ret_used is how many words are the beginning of some verb's path ("gateway", "gateway config").
 */
const struct verb *verbs_find(int argc, char *const *argv, int *ret_used);

/* Whether the verb's path begins with the first n words of argv. */
bool verb_is_below(const struct verb *, char *const *argv, int n);

/*
 * The path that was probably meant by the words that do not name a verb: with the last word
 * misspelt, or the word "gateway" left out. NULL: no guess.
 */
const char *verbs_suggest(int argc, char *const *argv);
