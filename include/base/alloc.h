/*
 * The one place where the project takes memory from and gives it back to, so that a test can let
 * the n-th allocation fail. For that a test program defines the function mem_test_denies; the
 * program that is shipped defines none, and nothing but a comparison remains. So the objects under
 * test are the very objects that are shipped, and no build of its own is needed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/span.h"

/* Gives back what the functions below returned. NULL is allowed. Keeps errno. */
void mem_free(void *);

/*
 * n bytes, not initialised, aligned for any type; NULL without memory. For n = 0 as for n = 1, so
 * that NULL always means failure.
 */
void *mem_alloc(size_t n) must_check __attribute__((malloc, alloc_size(1)));

/* The same, all bytes zero. */
void *mem_zalloc(size_t n) must_check __attribute__((malloc, alloc_size(1)));

/* An array of count elements of n bytes each, all bytes zero; NULL also when the product overflows. */
void *mem_array(size_t count, size_t n) must_check __attribute__((malloc, alloc_size(1, 2)));

/*
 * Moves the block to one of n bytes, as realloc: NULL leaves the old block as it was. p may be
 * NULL. n = 0 is as n = 1 and frees nothing.
 */
void *mem_resize(void *p, size_t n) must_check __attribute__((alloc_size(2)));

/* A terminated copy of the span (NULs inside are copied as they are); NULL without memory. */
char *mem_strndup(struct span) must_check __attribute__((malloc));

/*
 * Defined by test programs only: asked before each allocation above; true makes it fail. A weak
 * reference, NULL where nobody defines it.
 */
bool mem_test_denies(void) __attribute__((weak));
