/*
 * The bell: how a process that sleeps learns of events, mail and closes, at no system call for
 * those that are awake.
 *
 *     the reader                              who has something for it
 *     ----------                              ------------------------
 *     loop:                                   publish (ring, mailbox, directory)
 *       drain ring, mailbox, closes           bell_ring or bell_ring_all:
 *       bell_arm: sets its bit, full            full fence, looks at the bit;
 *         fence, looks once more                if set: takes it away and writes the eventfd
 *       sleep in epoll on segment_bell_fd,
 *         at most 250 ms
 *       bell_disarm, bell_drain
 *
 * A process killed after it took the bit away and before it wrote the eventfd leaves a sleeper
 * unwoken: so the supervisor rings for all when it reaps a child (segment_clear_slot does), and
 * every reader looks for itself every 250 ms.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

struct segment;

/*
 * Before going to sleep, by the process of `slot`; `seen_seq` is the last event that it has read.
 * True: it may sleep until segment_bell_fd is readable. False: something came meanwhile (an
 * event, mail, a close asked); it is disarmed and must not sleep.
 */
bool bell_arm(struct segment *segment, unsigned slot, uint64_t seen_seq) must_check;
/* After sleeping: nobody needs to ring any more. */
void bell_disarm(struct segment *segment, unsigned slot);
/* After sleeping: empties the eventfd. */
void bell_drain(struct segment *segment, unsigned slot);
/* Wakes the process of `slot` if it sleeps. After mailbox_send or directory_request_close. */
void bell_ring(struct segment *segment, unsigned slot);
/* Wakes all that sleep. After ring_publish. */
void bell_ring_all(struct segment *segment);
/* Wakes all, sleeping or not: the supervisor's after it reaped a child. */
void bell_force_all(struct segment *segment);
