/*
 * Sending through io_uring: many sends to many sockets by one system call.
 *
 *	uring_add, uring_add, … ──uring_submit──▶ all of them are over ──▶ uring_next tells which fell short
 *
 * No send ever waits: MSG_DONTWAIT lets the kernel decide while it takes the request, so when uring_submit
 * returns nothing is under way, and the bytes may be used for something else. What went through whole is not
 * told (IOSQE_CQE_SKIP_SUCCESS); without MSG_WAITALL a send that took only a part would count as such, and the
 * stream would be torn. The ring is restricted to these sends: whoever takes over the process cannot do
 * anything else with it.
 *
 * Sockets are known to the ring by numbers of its own, which are those of the descriptors.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/span.h"

struct uring;

/*
 * Makes a ring for up to `sends` sends at a time (a power of two) to descriptors below `files`; for the
 * calling process alone, not for one that it forks. Returns 0; -ENOMEM; another -errno where the kernel has no
 * io_uring of the kind needed (Linux 6.1) or does not grant it.
 */
int uring_open(unsigned sends, unsigned files, struct uring **ret) must_check;
void uring_close(struct uring *uring);

/*
 * Makes the connected socket known. Returns 0; -EBADF for a number beyond `files`; -errno. It stays open in the
 * ring, whatever becomes of the descriptor, until uring_forget.
 */
int uring_know(struct uring *uring, int fd) must_check;
void uring_forget(struct uring *uring, int fd);

/* How many sends can be added before the next uring_submit. */
unsigned uring_room(const struct uring *uring);

/*
 * Adds a send of all the bytes, at least one, to a socket that is known; only while there is room, and only
 * one for each socket. `owner` is told by uring_next. The bytes are not copied: they must stay until uring_submit.
 */
void uring_add(struct uring *uring, int fd, struct span bytes, void *owner);

/*
 * Sends what was added, in that order, and returns how many of these sends the kernel took. Fewer than were added:
 * the ring is of no more use, and uring_close is all that may be called after uring_next has told of the others.
 */
unsigned uring_submit(struct uring *uring) must_check;

/*
 * The next send that did not go through whole, of those that the last uring_submit took: its owner, and how
 * many bytes the socket took, or -errno (-EAGAIN: it took none at present). False when there is none left.
 */
bool uring_next(struct uring *uring, void **ret_owner, int *ret_sent);
