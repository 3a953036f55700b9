/*
 * One configuration file as a layer.
 */
#pragma once

#include <stdbool.h>

#include "conf/draft.h"

/*
 * Reads the JSON file and lays it over the draft. A file that is not there is an error only when
 * required. Everything wrong with it goes to the draft's report.
 */
void file_apply(struct draft *, const char *path, bool is_required);
