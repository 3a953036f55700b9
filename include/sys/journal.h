/* systemd's journal, as far as a program needs to know of it. */
#pragma once

#include <stdbool.h>

/*
 * Whether standard error goes to the journal (JOURNAL_STREAM): then no log file of our own is
 * written.
 */
bool journal_is_stderr(void);
