/*
 * What /proc tells about a process. Each returns 0, -ESRCH when the process is gone, or another
 * -errno.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/macros.h"

/* Resident memory. */
int process_rss_bytes(pid_t pid, uint64_t *ret_bytes) must_check;

/*
 * The part of that which is the process's own, with neither a file nor shared memory behind it. Returns as above.
 */
int process_own_bytes(pid_t pid, uint64_t *ret_bytes) must_check;

/*
 * Open descriptors. Cheap since Linux 6.2; before, it takes time in proportion to their number.
 */
int process_open_fds(pid_t pid, uint64_t *ret_count) must_check;

/*
 * When the process started, in clock ticks since boot: with the pid it names a process for good.
 * A zombie is gone.
 */
int process_start_ticks(pid_t pid, uint64_t *ret_ticks) must_check;

/* Has this process and its children leave no core file from now on. 0 or -errno. */
int process_forbid_core(void) must_check;

/* Whose process it is, by its real user; of a zombie, too. */
int process_uid(pid_t pid, uid_t *ret_uid) must_check;
