/*
 * Flags of the command line as the topmost layer.
 */
#pragma once

#include <stddef.h>

#include "conf/draft.h"

/*
 * Lays count flags over the draft, each "gateway.port=8080"; a boolean may come without its
 * "=true". Lists may be given several times and grow; of other settings the last one counts.
 */
void flags_apply(struct draft *, const char *const *flags, size_t count);
