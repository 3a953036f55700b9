/*
 * Environment variables as a layer, those of the process and those of a .env file.
 */
#pragma once

#include "conf/draft.h"

/* Lays the variables of an environment that ends with NULL over the draft. */
void environment_apply(struct draft *, char *const *environ_);

/*
 * Lays the variables of a .env file over the draft. A file that is not there is no error.
 * Everything wrong with it goes to the draft's report.
 */
void environment_apply_file(struct draft *, const char *path);
