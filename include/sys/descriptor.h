/* File descriptors: how many, and which. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

/*
 * Raises RLIMIT_NOFILE toward WANTED: the soft limit as far as the hard one goes, and the hard
 * one too where the process may. That it may not is no error. A limit that is higher already is
 * left alone.
 * Returns 0 with what is in force now, or -errno when that could not even be read.
 */
int descriptor_raise_limit(uint64_t wanted, uint64_t *ret_got) must_check;

/*
 * Closes every descriptor but standard input, output, error and the N in KEEP; negative ones
 * among those are ignored.
 * Returns 0 or -errno. For use right after a fork.
 */
int descriptor_close_others(const int *keep, size_t n) must_check;
