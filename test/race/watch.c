/*
 * The supervisor's part: starts one that dies, again and again, with a lock in its hand or without,
 * clears up after it, and looks at everything meanwhile.
 */
#include <pthread.h>
#include <sched.h>

#include "base/clock.h"
#include "bus/bell.h"
#include "bus/ring_view.h"
#include "race.h"

enum { MORTAL_EVENTS = 20, MORTAL_CONNECTIONS = 3, STUCK_MS = 60000 };

/* Another's event among those of the writers would confuse their readers: it only takes the lock. */
void *
race_die(void *arg)
{
	struct seat *seat = arg;
	struct race *race = seat->race;
	struct buf body = { 0 };
	struct mail mail;
	uint32_t conn_id;

	roster_set_state(seat->roster, seat->slot, ROSTER_SERVING);
	ring_reader_attach(seat->ring, seat->slot, ring_head(seat->ring));
	for (unsigned i = 0; i < MORTAL_CONNECTIONS; i++)
		CHECK_RACE(race, directory_claim(seat->directory, seat->slot, &conn_id) == 0);
	counters_add(&seat->counters->accepted, MORTAL_CONNECTIONS);
	counters_set(&seat->counters->connections, MORTAL_CONNECTIONS);
	while (mailbox_receive(seat->mailboxes[seat->slot], &body, &mail) == MAILBOX_MAIL)
		CHECK_RACE(race, span_is(mail.body, "to whom it may concern"));
	buf_fini(&body);
	roster_beat(seat->roster, seat->slot, clock_mono_ms());
	if (torture_random(&seat->seed) % 2 == 0)
		return NULL;
	/* The lock of the ring, of which it is known that nobody will ever give it back. */
	(void)!shlock_take(&seat->ring->parts.shared->lock, NULL);
	return NULL;
}

static void
look_around(struct seat *seat)
{
	struct race *race = seat->race;
	struct roster_gateway gateway;
	const struct mailbox *mailbox = seat->mailboxes[WRITERS + READS_ALL];
	uint64_t head = ring_head(seat->ring);

	CHECK_RACE(race, ring_oldest(seat->ring) + seat->ring->parts.index_count > head);
	CHECK_RACE(race, ring_bytes_used(seat->ring) <= ring_capacity(seat->ring));
	(void)ring_last_at_ms(seat->ring);
	roster_get_gateway(seat->roster, &gateway);
	for (unsigned slot = 0; slot < RACE_WORKERS; slot++) {
		roster_set_usage(seat->roster, slot, &(struct roster_usage){ head, head, slot });
		(void)ring_reader_seq(seat->ring, slot);
		(void)ring_reader_lost(seat->ring, slot);
		(void)directory_count(seat->directory, slot);
	}
	CHECK_RACE(race, mailbox_used(mailbox) <= mailbox_capacity(mailbox));
	CHECK_RACE(race, mailbox_reserved(mailbox) <= mailbox_capacity(mailbox));
	CHECK_RACE(race, segment_stuck_holder(race->segment, STUCK_MS) == 0);
	bell_force_all(race->segment);
}

/* One life, from the announcement to the repair. */
static void
let_one_die(struct seat *seat, struct seat *mortal)
{
	struct race *race = seat->race;
	uint32_t life = roster_generation(seat->roster, RACE_MORTAL) + 1;
	pthread_t thread;
	unsigned slot;

	race->life_notes[life] = race_note(RACE_MORTAL, life);
	CHECK_RACE(race,
	    roster_start(seat->roster, RACE_MORTAL, 1, clock_real_ms(), clock_mono_ms()) == life);
	if (pthread_create(&thread, NULL, race_die, mortal) != 0)
		race_failed(race, __FILE__, __LINE__);
	look_around(seat);
	pthread_join(thread, NULL);
	roster_end(seat->roster, RACE_MORTAL, true);
	segment_clear_slot(race->segment, RACE_MORTAL);
	CHECK_RACE(race, directory_count(seat->directory, RACE_MORTAL) == 0);
	CHECK_RACE(race, directory_find(seat->directory, 0, &slot) < 0);
	atomic_fetch_add_explicit(&race->deaths, 1, memory_order_relaxed);
}

void
race_watch(struct seat *seat)
{
	struct seat mortal;

	roster_set_gateway(seat->roster, 1, clock_real_ms(), RACE_WORKERS);
	seat_init(&mortal, seat->race, RACE_MORTAL);
	while (atomic_load(&seat->race->reading) > 0) {
		if (roster_generation(seat->roster, RACE_MORTAL) + 1 < RACE_LIVES_MAX)
			let_one_die(seat, &mortal);
		look_around(seat);
		sched_yield();
	}
	roster_set_stopping(seat->roster);
	seat_fini(&mortal);
}
