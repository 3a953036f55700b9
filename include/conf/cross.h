/*
 * What settings demand of each other.
 */
#pragma once

#include <stdbool.h>

#include "conf/draft.h"

/*
 * Checks the laid draft; what does not fit together goes to its report. A check that needs a value
 * which was refused is left out, since that error is reported already.
 */
void cross_check(struct draft *);

/* Whether a configuration as a whole holds the same. */
bool cross_holds(const struct conf *);
