/* Where the log goes: the file, standard error, or both. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/macros.h"

struct conf;
struct segment;

/*
 * Before the log file may be touched: only standard error in the foreground, otherwise nothing.
 */
void logs_begin(const struct conf *conf, bool foreground);

/*
 * Opens the log file (0600; its folder is made) and lets the log go there, and to standard error
 * too in the foreground. Under systemd, where standard error is the journal, that alone is used.
 * Returns 0 with the descriptor, or with -1 when there is no file; or -errno with a line for
 * people appended to REASON.
 */
int logs_open(const struct conf *conf, bool foreground, int *ret_fd, struct buf *reason) must_check;

/*
 * Opens it again by its name, after somebody has moved the file, and closes the old one; FD is -1 where there
 * is none, and stays so. When it fails the old one is used on. Returns as logs_open does.
 */
int logs_reopen(const struct conf *conf, int *fd, struct buf *reason) must_check;

/* What is logged goes to the segment, too, from now on, until this is called with NULL. */
void logs_tap(struct segment *segment);

/*
 * Lets the log go to standard error in the foreground alone again, and closes the file; FD may be
 * -1.
 */
void logs_close(const struct conf *conf, bool foreground, int fd);
