/*
 * The bus with threads in place of processes, for a build with ThreadSanitizer: all that processes do
 * to the segment at once, done by threads, each with views of its own over the one mapping.
 *
 * That every word of the bus is what it should be is checked as the torture does it, and with the
 * same contents. What is added here is order: beside each event, each mail, each reason for a close
 * and each generation stands a note, a word that is not atomic, written before the bus is told and
 * read after the bus has told. So the sanitizer, which knows orders and no fences, reports a release
 * or an acquire that is missing in the bus as a race for the note.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "../torture/torture.h"
#include "bus/counters.h"
#include "bus/directory.h"
#include "bus/mailbox.h"
#include "bus/roster.h"
#include "bus/segment_map.h"

enum {
	RACE_MORTAL = PROCESSES, /* the slot of the threads that die, behind WRITERS and READERS */
	RACE_WORKERS,
	RACE_CONNECTIONS = 12, /* that each reader holds */
	RACE_LIVES_MAX = 1024,
};

enum { READS_ALL, READS_CLOSES, READS_MAIL }; /* numbers of readers, see read.c */

enum race_fault {
	RACE_FAULT_NONE,
	RACE_FAULT_LOCK,    /* a writer takes no lock */
	RACE_FAULT_COUNTER, /* a counter is no atomic word to its owner */
};

/* What all threads share, beside the segment. */
struct race {
	struct segment *segment;
	struct segment_plan plan;
	uint64_t count; /* events that each writer publishes */
	enum race_fault fault;
	_Atomic unsigned writing; /* writers that have not ended */
	_Atomic unsigned reading; /* readers likewise */
	_Atomic uint32_t connections[READERS][RACE_CONNECTIONS];

	/* notes: written once, by one thread */
	uint64_t *event_notes[WRITERS];
	uint64_t *mail_notes[WRITERS][READERS];
	uint64_t *close_notes[WRITERS];
	uint64_t life_notes[RACE_LIVES_MAX];

	/* what was done */
	_Atomic uint64_t events, laps, mails, sleeps, closes, deaths;
};

/* One thread: as a process would have them, views of its own. */
struct seat {
	struct race *race;
	unsigned slot;
	uint64_t seed;
	struct ring *ring;
	struct directory *directory;
	struct roster *roster;
	struct mailbox *mailboxes[RACE_WORKERS];
	struct counters *counters;
};

/* Says where, and ends the program; does not where a fault was planted, which may break anything. */
#define CHECK_RACE(race, is_true)                              \
	do {                                                   \
		if (!(is_true))                                \
			race_failed(race, __FILE__, __LINE__); \
	} while (0)

void race_failed(const struct race *race, const char *file, int line);

/* Views for the thread of `slot`, and their end. */
void seat_init(struct seat *seat, struct race *race, unsigned slot);
void seat_fini(struct seat *seat);

/* What a note says. Never 0. */
uint64_t race_note(unsigned writer, uint64_t number);

/* Takes no lock from here on, where that is the fault that was planted. */
void race_skip_locks(const struct race *race);

/* The threads; each gets its struct seat. */
void *race_write(void *arg);
void *race_read(void *arg);
void *race_die(void *arg);

/* The supervisor's part, until all readers have ended. */
void race_watch(struct seat *seat);
