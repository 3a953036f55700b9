/*
 * What stands in a payload: words in no order, or the fields of JSON records as an assistant's sessions have
 * them. Both are the same in each run.
 */
#pragma once

#include <stddef.h>

/* Fills n bytes with words. */
void text_words(char *at, size_t n);

/*
 * Fills n bytes that stand within a string of an object with its end, with an array of records, and with the
 * beginning of another string: {"x":"HERE"} stays one object. Where n is too small for that, with words.
 */
void text_records(char *at, size_t n);
