/*
 * The scripts that complete commands, one for each shell. Each holds the tables as they are in this
 * program, and needs nothing else of it.
 */
#pragma once

#include "base/buf.h"

struct invocation;

/* For bash 4 and later; needs nothing of bash-completion. */
void scripts_bash(const struct invocation *, struct buf *out);

/* For zsh: a file _lurkbot on its fpath, or to be sourced after compinit. */
void scripts_zsh(const struct invocation *, struct buf *out);

/* For fish 3 and later. */
void scripts_fish(const struct invocation *, struct buf *out);
