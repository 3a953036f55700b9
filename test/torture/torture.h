/*
 * Torture of the bus: writers and readers on a tiny segment, of which one after the other is killed
 * or stopped at whatever instruction it has come to.
 *
 * Every event and every mail carries what is needed to judge it: who sent it, in which life, as
 * which of that life, and bytes that follow from that. What a process was told is done is counted in
 * memory that outlives it, so that afterwards nothing acknowledged can be missing unnoticed.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "bus/ring.h"
#include "bus/segment.h"

enum {
	WRITERS = 4, /* slots 0 to 3 */
	READERS = 3, /* slots 4 to 6 */
	PROCESSES = WRITERS + READERS,
	LIVES_MAX = 65536,
	ID_WIDTH = 8,
	AT_WIDTH = 13,
	IDLE_MS = 2000, /* a reader that sleeps so long over work was not woken */
};

/* Who published, in which life, and the number of the event, or mail, in that life. */
struct stamp {
	uint64_t writer;
	uint64_t life;
	uint64_t number;
};

/* One process's; written by it alone. */
struct report {
	_Atomic uint64_t done; /* events published or read */
	_Atomic uint64_t mails;
	_Atomic uint64_t laps;
	_Atomic uint64_t sleeps;
	_Atomic uint32_t fault; /* line of the first check that failed */
	_Atomic uint64_t detail[4];
};

/* Shared by all, and outliving each. */
struct field {
	struct report reports[PROCESSES];
	/* by life: events and, for each reader, mails that the writer was told are done */
	_Atomic uint64_t published[LIVES_MAX];
	_Atomic uint64_t mailed[LIVES_MAX][READERS];
	/* of each reader in each life: what it has received, kept here since it dies too */
	_Atomic uint64_t published_ns; /* CLOCK_MONOTONIC of the last publication */
	_Atomic uint64_t longest_ns;   /* between two publications, since the parent last asked */
	struct segment *segment;       /* the same address in all, by fork */
};

/* Notes the fault and ends the process. */
#define CHECK(report, is_true)                          \
	do {                                            \
		if (!(is_true))                         \
			torture_fail(report, __LINE__); \
	} while (0)

void torture_fail(struct report *report, unsigned line) __attribute__((noreturn));

/* A sequence of numbers that looks random, and is the same for the same seed. */
uint64_t torture_random(uint64_t *seed);

/* Publishes, and sends mail to readers, until it is killed. */
void torture_write(struct field *field, unsigned slot, uint64_t life) __attribute__((noreturn));

/* Reads events and mail, and sleeps in between, until it is killed. */
void torture_read(struct field *field, unsigned slot, uint64_t seed) __attribute__((noreturn));

/*
 * The event of this stamp under that seq and time, in `out`; `draft` points there. Its digits are
 * as the ring sets them.
 */
void torture_event(struct buf *out, const struct stamp *stamp, uint64_t seq, uint64_t at_ms,
    struct ring_draft *draft);

/* The stamp of an event's frame; false when that is too short for one. */
bool torture_stamp(struct span frame, struct stamp *ret);

/* The body of a mail: the stamp, and bytes that follow from it. */
void torture_mail(struct buf *out, const struct stamp *stamp);
