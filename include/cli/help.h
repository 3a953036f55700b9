/*
 * Help texts, made from the tables of verbs, options and settings.
 */
#pragma once

#include "base/buf.h"

struct verb;

/* Appends the help of one verb: usage, what it does, every option. */
void help_verb(struct buf *out, const struct verb *);

/* Appends the list of the verbs below the first n words of argv, 0: of all, and how to go on. */
void help_list(struct buf *out, char *const *argv, int n);
