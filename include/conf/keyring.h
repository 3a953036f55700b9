/*
 * The files that the settings of authentication name: tokens, and keys of signed tokens. They are
 * read with the configuration, so that nobody has to open a file later.
 */
#pragma once

#include "conf/draft.h"

/*
 * Reads the files into the laid draft, whose paths are absolute by now. What is wrong with them goes
 * to its report; a file of secrets that others may read is wrong.
 */
void keyring_load(struct draft *);
