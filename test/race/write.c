/*
 * A writer: publishes, sends mail, and asks for closes.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>

#include "base/clock.h"
#include "bus/bell.h"
#include "race.h"

enum { MAIL_EACH = 4, CLOSE_EACH = 8, REST_EACH = 64 };

struct writer {
	struct seat *seat;
	struct stamp stamp;
	uint64_t mailed[READERS];
	uint64_t closes;
	struct buf text;
};

static void
publish(struct writer *w)
{
	struct seat *seat = w->seat;
	struct race *race = seat->race;
	struct ring_draft draft = { .name = SPAN("torture.event"), .key = SPAN("key") };
	struct ring_receipt receipt;
	int r;

	race->event_notes[seat->slot][w->stamp.number] = race_note(seat->slot, w->stamp.number);
	do {
		torture_event(
		    &w->text, &w->stamp, ring_head(seat->ring) + 1, clock_real_ms(), &draft);
		r = ring_publish(seat->ring, seat->slot, &draft, &receipt);
	} while (r == -ERANGE || r == -ETIMEDOUT);
	CHECK_RACE(race, r == 0);
	w->stamp.number++;
	counters_add(&seat->counters->events_published[0], 1);
	bell_ring_all(race->segment);
}

static void
send_mail(struct writer *w, unsigned reader)
{
	struct seat *seat = w->seat;
	struct race *race = seat->race;
	struct stamp stamp = { seat->slot, 1, w->mailed[reader] };
	struct mail mail = { .kind = 1, .from_slot = (uint16_t)seat->slot };
	int r;

	race->mail_notes[seat->slot][reader][stamp.number] = race_note(seat->slot, stamp.number);
	torture_mail(&w->text, &stamp);
	mail.body = buf_span(&w->text);
	mail.uses_reserve = torture_random(&seat->seed) % 4 == 0;
	do {
		r = mailbox_send(seat->mailboxes[WRITERS + reader], &mail);
		/* Full: its reader is awake, and needs the processor more. */
		if (r == -ENOBUFS)
			sched_yield();
	} while (r == -ETIMEDOUT || r == -ENOBUFS);
	CHECK_RACE(race, r == 0);
	w->mailed[reader]++;
	bell_ring(race->segment, WRITERS + reader);
}

/* To one that is there only some of the time: it may be refused, and may be lost. */
static void
send_to_mortal(struct writer *w)
{
	struct race *race = w->seat->race;
	struct mail mail = { .kind = 2, .body = SPAN("to whom it may concern") };
	int r = mailbox_send(w->seat->mailboxes[RACE_MORTAL], &mail);

	CHECK_RACE(race, r == 0 || r == -ENOBUFS || r == -ETIMEDOUT);
	bell_ring(race->segment, RACE_MORTAL);
}

static void
ask_for_close(struct writer *w, uint64_t random)
{
	struct seat *seat = w->seat;
	struct race *race = seat->race;
	uint32_t conn_id = atomic_load_explicit(
	    &race->connections[random % READERS][random / READERS % RACE_CONNECTIONS],
	    memory_order_relaxed);
	char reason[32];
	unsigned slot;
	int n =
	    snprintf(reason, sizeof(reason), "%u %llu", seat->slot, (unsigned long long)w->closes);

	race->close_notes[seat->slot][w->closes] = race_note(seat->slot, w->closes);
	w->closes++;
	if (directory_request_close(
		seat->directory, conn_id, span_make(reason, (size_t)n), &slot) == 0)
		bell_ring(race->segment, slot);
}

/* What everybody may ask about everybody. */
static void
look_around(struct seat *seat, unsigned slot)
{
	struct roster_entry entry;

	roster_get(seat->roster, slot, &entry);
	CHECK_RACE(seat->race, entry.state <= ROSTER_DEAD);
	(void)counters_get(&segment_counters(seat->race->segment, slot)->deliveries);
	(void)counters_get(&segment_counters(seat->race->segment, slot)->events_published[0]);
}

/* As counters_add, but that the store is not one of an atomic word. */
static void
add_plainly(_Atomic uint64_t *counter)
{
	*(volatile uint64_t *)(void *)counter = counters_get(counter) + 1;
}

static void
act(struct writer *w)
{
	struct seat *seat = w->seat;
	uint64_t random = torture_random(&seat->seed);

	publish(w);
	if (random % MAIL_EACH == 0)
		send_mail(w, random / MAIL_EACH % 2 == 0 ? READS_ALL : READS_MAIL);
	if (random % CLOSE_EACH == 0)
		ask_for_close(w, random / CLOSE_EACH);
	if (random % CLOSE_EACH == 1)
		send_to_mortal(w);
	look_around(seat, (unsigned)(random / 256 % RACE_WORKERS));
	if (seat->race->fault == RACE_FAULT_COUNTER)
		add_plainly(&seat->counters->events_published[0]);
	/* Now and then all are at rest, so that readers fall asleep. */
	if (random % REST_EACH == 0)
		sched_yield();
}

void *
race_write(void *arg)
{
	struct seat *seat = arg;
	struct writer w = { .seat = seat, .stamp = { seat->slot, 1, 0 } };

	if (seat->slot == 0)
		race_skip_locks(seat->race);
	while (w.stamp.number < seat->race->count)
		act(&w);
	buf_fini(&w.text);
	atomic_fetch_sub(&seat->race->writing, 1);
	bell_force_all(seat->race->segment);
	return NULL;
}
