/*
 * The lock file that says whether a program runs, and which process it is.
 *
 * What counts is the flock, never the existence of the file or the number in it. Children inherit
 * the descriptor and hold the lock too; so it can be held while the process named in the file is
 * dead, by its orphans, until they have ended. The file is never removed (a second process might
 * lock the new one); a clean stop leaves it empty.
 *
 *	12345                        pid
 *	8812345                      its start in clock ticks since boot: a pid used again is noticed
 *	ws://127.0.0.1:18789         whatever lines the owner adds
 *
 * A file that is not root's can name only a process of its owner's.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/macros.h"
#include "base/span.h"

enum { LOCKFILE_TEXT_MAX = 1024 };

/*
 * Opens (0600, created when missing, the caller's own, close-on-exec) and locks PATH; not through a link, see
 * sys/guarded.h. When the lock is held it
 * waits up to WAIT_MS for it to be released, unless the process named in the file lives: then it
 * does not wait.
 * Returns 0 with the descriptor; -EWOULDBLOCK with RET_HOLDER the living holder, or 0 when it is
 * not known; or -errno.
 */
int lockfile_acquire(const char *path, unsigned wait_ms, int *ret_fd, pid_t *ret_holder) must_check;

/*
 * Writes the calling process and the lines in EXTRA into the file, in place of what it held.
 * Returns 0 or -errno.
 */
int lockfile_write(int fd, struct span extra) must_check;

/*
 * Empties the file and gives up the lock of this process and of all that inherited it. FD is
 * closed.
 */
void lockfile_release(int fd);

/*
 * Who holds the lock now. Returns 0 with a living process, or with 0 for nobody (also when there
 * is no file); -ESRCH when it is held, but not by a living process that the file names (by its
 * orphans, or one that just starts); or another -errno.
 */
int lockfile_holder(const char *path, pid_t *ret_pid) must_check;

/*
 * Reads the lines that lockfile_write was given as EXTRA. Returns 0 (TEXT is empty when there are
 * none), or -errno. Whether the lock is held is another question.
 */
int lockfile_read_extra(const char *path, char ret_text[LOCKFILE_TEXT_MAX]) must_check;
