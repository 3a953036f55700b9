/*
 * A reader: events, mail, closes of its connections, sleep; everything that it sees is judged.
 *
 * What one act orders hides that another orders nothing. So the first reader alone does everything:
 * the second has no mail, does not sleep, and keeps a connection that was asked to close; the third
 * has mail and no connections, sets nothing aside, and does not sleep.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bus/bell.h"
#include "bus/providers.h"
#include "race.h"

enum { RESERVE_BYTES = 200, SHARE = 64 };

struct reader {
	struct seat *seat;
	unsigned number; /* among the readers */
	uint64_t seq;	 /* of the last event that was read */
	uint64_t last_at_ms;
	uint64_t last_numbers[WRITERS]; /* 1 + number of the last event seen of each; 0: none */
	uint64_t mails[WRITERS];	/* that came of each */
	uint32_t connections[RACE_CONNECTIONS];
	unsigned cursor;
	struct buf frames, labels, should, mail;
};

/* --- events ------------------------------------------------------------------------------- */

/* Names a note that there is: what else the fault that was planted may have left. */
static bool
stamp_is_sane(const struct race *race, const struct stamp *stamp)
{
	bool is_sane = stamp->writer < WRITERS && stamp->number < race->count;

	CHECK_RACE(race, is_sane);
	return is_sane;
}

static void
check_event(struct reader *r, const struct ring_record *record)
{
	struct race *race = r->seat->race;
	struct ring_draft draft;
	struct stamp stamp;

	if (!torture_stamp(buf_span(&r->frames), &stamp) || !stamp_is_sane(race, &stamp))
		return;
	CHECK_RACE(race, record->seq == r->seq + 1 && record->publisher == stamp.writer);
	CHECK_RACE(race, record->at_ms >= r->last_at_ms);
	CHECK_RACE(race, span_is(buf_span(&r->labels), "torture.eventkey"));
	CHECK_RACE(race, race->event_notes[stamp.writer][stamp.number] ==
			     race_note((unsigned)stamp.writer, stamp.number));
	torture_event(&r->should, &stamp, record->seq, record->at_ms, &draft);
	CHECK_RACE(race, span_is_equal(buf_span(&r->frames), buf_span(&r->should)));
	if (r->last_numbers[stamp.writer] != 0)
		CHECK_RACE(race, stamp.number == r->last_numbers[stamp.writer]);
	r->last_numbers[stamp.writer] = stamp.number + 1;
	r->last_at_ms = record->at_ms;
}

/* What was missed was missed of all writers alike. */
static void
jump(struct reader *r)
{
	uint64_t oldest = ring_oldest(r->seat->ring);

	CHECK_RACE(r->seat->race, oldest > r->seq + 1);
	ring_reader_lapped(r->seat->ring, r->seat->slot, oldest - r->seq - 1);
	r->seq = oldest - 1;
	memset(r->last_numbers, 0, sizeof(r->last_numbers));
	atomic_fetch_add_explicit(&r->seat->race->laps, 1, memory_order_relaxed);
}

static enum ring_verdict
read_event(struct reader *r)
{
	struct seat *seat = r->seat;
	struct ring_record record;
	enum ring_verdict verdict;

	buf_reset(&r->frames);
	buf_reset(&r->labels);
	verdict = ring_read(seat->ring, r->seq + 1, &r->frames, &r->labels, &record);
	CHECK_RACE(seat->race, verdict != RING_DAMAGED && verdict != RING_NOMEM);
	if (verdict == RING_LAPPED)
		jump(r);
	if (verdict != RING_RECORD)
		return verdict;
	check_event(r, &record);
	r->seq++;
	ring_reader_moved(seat->ring, seat->slot, r->seq);
	counters_add(&seat->counters->deliveries, 1);
	counters_observe(&seat->counters->delivery_latency, clock_mono_ns() - record.published_ns);
	atomic_fetch_add_explicit(&seat->race->events, 1, memory_order_relaxed);
	return verdict;
}

/* --- mail --------------------------------------------------------------------------------- */

static void
check_mail(struct reader *r, const struct mail *mail)
{
	struct race *race = r->seat->race;
	struct stamp stamp = { WRITERS, 0, 0 };

	if (mail->body.n >= sizeof(stamp))
		memcpy(&stamp, mail->body.p, sizeof(stamp));
	if (!stamp_is_sane(race, &stamp))
		return;
	CHECK_RACE(race, stamp.writer == mail->from_slot);
	CHECK_RACE(race, stamp.number == r->mails[stamp.writer]);
	CHECK_RACE(race, race->mail_notes[stamp.writer][r->number][stamp.number] ==
			     race_note((unsigned)stamp.writer, stamp.number));
	torture_mail(&r->should, &stamp);
	CHECK_RACE(race, span_is_equal(mail->body, buf_span(&r->should)));
	r->mails[stamp.writer]++;
}

static bool
take_mail(struct reader *r)
{
	struct seat *seat = r->seat;
	struct mailbox *own = seat->mailboxes[seat->slot];
	struct mail mail;
	bool is_reserved = r->number == READS_ALL && mailbox_reserve(own, RESERVE_BYTES) == 0;
	enum mailbox_verdict verdict = mailbox_receive(own, &r->mail, &mail);

	CHECK_RACE(seat->race, verdict == MAILBOX_MAIL || verdict == MAILBOX_EMPTY);
	if (verdict == MAILBOX_MAIL) {
		check_mail(r, &mail);
		atomic_fetch_add_explicit(&seat->race->mails, 1, memory_order_relaxed);
	}
	if (is_reserved)
		mailbox_unreserve(own, RESERVE_BYTES);
	return verdict == MAILBOX_MAIL;
}

/* --- connections -------------------------------------------------------------------------- */

static void
open_connection(struct reader *r, unsigned i)
{
	struct seat *seat = r->seat;
	unsigned slot = RACE_WORKERS;

	if (directory_claim(seat->directory, seat->slot, &r->connections[i]) < 0) {
		race_failed(seat->race, __FILE__, __LINE__);
		return;
	}
	CHECK_RACE(seat->race, directory_find(seat->directory, r->connections[i], &slot) == 0);
	CHECK_RACE(seat->race, slot == seat->slot);
	atomic_store_explicit(
	    &seat->race->connections[r->number][i], r->connections[i], memory_order_relaxed);
}

/* The reason names its note; without one it was not to be had, for the lock was not. */
static void
check_reason(const struct race *race, const char *reason)
{
	char *end;
	uint64_t writer = strtoull(reason, &end, 10);
	uint64_t number = strtoull(end, NULL, 10);
	struct stamp stamp = { writer, 0, number };

	if (reason[0] != 0 && stamp_is_sane(race, &stamp))
		CHECK_RACE(
		    race, race->close_notes[writer][number] == race_note((unsigned)writer, number));
}

static void
serve_closes(struct reader *r)
{
	struct seat *seat = r->seat;
	char reason[DIRECTORY_REASON_MAX + 1];

	if (r->number == READS_MAIL)
		return;
	directory_close_requests(seat->directory, seat->slot);
	for (unsigned i = 0; i < RACE_CONNECTIONS; i++) {
		if (!directory_take_close(seat->directory, r->connections[i], reason))
			continue;
		check_reason(seat->race, reason);
		atomic_fetch_add_explicit(&seat->race->closes, 1, memory_order_relaxed);
		if (r->number == READS_CLOSES)
			continue;
		directory_release(seat->directory, r->connections[i]);
		open_connection(r, i);
	}
}

/* --- all together ------------------------------------------------------------------------- */

/* A mortal that is seen to live has been announced. */
static void
look_around(struct reader *r)
{
	struct seat *seat = r->seat;
	uint32_t life = roster_generation(seat->roster, RACE_MORTAL);

	if (life != 0)
		CHECK_RACE(
		    seat->race, seat->race->life_notes[life] == race_note(RACE_MORTAL, life));
	roster_beat(seat->roster, seat->slot, clock_mono_ms());
	/* There are no providers here, but who dies is news of them: who does not look never sleeps. */
	(void)providers_news(segment_providers(seat->race->segment), seat->slot);
}

/* Nobody sleeps over work: who was not called in all that time must have had none. */
static void
sleep_for_work(struct reader *r)
{
	struct segment *segment = r->seat->race->segment;
	unsigned slot = r->seat->slot;
	struct pollfd fd = { .fd = segment_bell_fd(segment, slot), .events = POLLIN };
	int n;

	if (r->number != READS_ALL)
		sched_yield();
	if (r->number != READS_ALL || !bell_arm(segment, slot, r->seq))
		return;
	atomic_fetch_add_explicit(&r->seat->race->sleeps, 1, memory_order_relaxed);
	do
		n = poll(&fd, 1, IDLE_MS);
	while (n < 0 && errno == EINTR);
	CHECK_RACE(r->seat->race, n == 1 || ring_head(r->seat->ring) == r->seq);
	bell_disarm(segment, slot);
	bell_drain(segment, slot);
}

static void
turn(struct reader *r, bool may_sleep)
{
	unsigned share = (unsigned)(torture_random(&r->seat->seed) % SHARE);
	bool more = true;

	while (more && share-- > 0)
		more = read_event(r) != RING_EMPTY;
	while (take_mail(r))
		more = true;
	serve_closes(r);
	look_around(r);
	if (!more && may_sleep)
		sleep_for_work(r);
}

void *
race_read(void *arg)
{
	struct seat *seat = arg;
	struct race *race = seat->race;
	struct reader r = { .seat = seat, .number = seat->slot - WRITERS };

	ring_reader_attach(seat->ring, seat->slot, 0);
	roster_set_state(seat->roster, seat->slot, ROSTER_SERVING);
	for (unsigned i = 0; i < RACE_CONNECTIONS && r.number != READS_MAIL; i++)
		open_connection(&r, i);
	while (atomic_load(&race->writing) > 0)
		turn(&r, true);
	/* All that was ever published and sent is there now. */
	while (r.seq < ring_head(seat->ring) || !mailbox_is_empty(seat->mailboxes[seat->slot]))
		turn(&r, false);
	buf_fini(&r.frames);
	buf_fini(&r.labels);
	buf_fini(&r.should);
	buf_fini(&r.mail);
	atomic_fetch_sub(&race->reading, 1);
	return NULL;
}
