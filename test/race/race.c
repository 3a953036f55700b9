/*
 * All threads at once, on a tiny segment.
 * usage: race EVENTS [lock|counter]     each writer publishes so many; exit 66: a race was reported
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/ring_view.h"
#include "race.h"

static uint64_t *
make_notes(const struct race *race)
{
	uint64_t *notes = calloc(race->count, sizeof(*notes));

	CHECK_RACE(race, notes != NULL);
	return notes;
}

static void
open_race(struct race *race)
{
	const struct segment_layout layout = { .worker_slots = RACE_WORKERS,
		.ring_bytes = RING_BYTES_MIN,
		.mailbox_bytes = MAILBOX_BYTES_MIN,
		.max_connections = 64 };
	enum segment_origin origin;
	char name[64];

	snprintf(name, sizeof(name), "/lurkbot-race-%d", (int)getpid());
	CHECK_RACE(race, segment_plan_make(&layout, &race->plan) == 0);
	CHECK_RACE(race, segment_open(name, &layout, &race->segment, &origin) == 0);
	CHECK_RACE(race, segment_unlink(name) == 0);
	for (unsigned slot = 0; slot < RACE_WORKERS; slot++)
		CHECK_RACE(race, segment_reserve_worker(race->segment, slot) == 0);
	for (unsigned writer = 0; writer < WRITERS; writer++) {
		race->event_notes[writer] = make_notes(race);
		race->close_notes[writer] = make_notes(race);
		for (unsigned reader = 0; reader < READERS; reader++)
			race->mail_notes[writer][reader] = make_notes(race);
	}
	atomic_store(&race->writing, WRITERS);
	atomic_store(&race->reading, READERS);
}

static void
close_race(struct race *race)
{
	for (unsigned writer = 0; writer < WRITERS; writer++) {
		free(race->event_notes[writer]);
		free(race->close_notes[writer]);
		for (unsigned reader = 0; reader < READERS; reader++)
			free(race->mail_notes[writer][reader]);
	}
	segment_close(race->segment);
}

/* What all did together is what each has counted. */
static void
check_sums(struct race *race)
{
	uint64_t published = 0, delivered = 0;

	for (unsigned slot = 0; slot < RACE_WORKERS; slot++) {
		struct counters *counters = segment_counters(race->segment, slot);

		published += counters_get(&counters->events_published[0]);
		delivered += counters_get(&counters->deliveries);
		CHECK_RACE(race, counters_get(&counters->connections) == 0);
	}
	CHECK_RACE(race, published == WRITERS * race->count);
	CHECK_RACE(race, ring_head(segment_ring(race->segment)) == published);
	CHECK_RACE(race, delivered == race->events);
}

/* A run in which nobody was ever overtaken, slept or died has shown nothing about it. */
static bool
print_report(const struct race *race)
{
	printf("events read %" PRIu64 ", laps %" PRIu64 ", mails %" PRIu64 ", sleeps %" PRIu64
	       ", closes %" PRIu64 ", deaths %" PRIu64 ", in the ring's lock %" PRIu64 "\n",
	    race->events, race->laps, race->mails, race->sleeps, race->closes, race->deaths,
	    ring_mutex_recoveries(segment_ring(race->segment)));
	return race->laps > 0 && race->mails > 0 && race->sleeps > 0 && race->closes > 0 &&
	       race->deaths > 0 && ring_mutex_recoveries(segment_ring(race->segment)) > 0;
}

static void
run(struct race *race)
{
	struct seat seats[PROCESSES], supervisor;
	pthread_t threads[PROCESSES];

	seat_init(&supervisor, race, segment_supervisor_slot(race->segment));
	for (unsigned slot = 0; slot < PROCESSES; slot++)
		seat_init(&seats[slot], race, slot);
	for (unsigned slot = 0; slot < PROCESSES; slot++)
		if (pthread_create(&threads[slot], NULL, slot < WRITERS ? race_write : race_read,
			&seats[slot]) != 0)
			abort();
	race_watch(&supervisor);
	for (unsigned slot = 0; slot < PROCESSES; slot++) {
		pthread_join(threads[slot], NULL);
		seat_fini(&seats[slot]);
	}
	seat_fini(&supervisor);
}

int
main(int argc, char **argv)
{
	struct race race = { .count = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000 };
	const char *fault = argc > 2 ? argv[2] : "";
	bool is_fine;

	if (strcmp(fault, "lock") == 0)
		race.fault = RACE_FAULT_LOCK;
	if (strcmp(fault, "counter") == 0)
		race.fault = RACE_FAULT_COUNTER;
	open_race(&race);
	run(&race);
	check_sums(&race);
	is_fine = print_report(&race);
	close_race(&race);
	return is_fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
