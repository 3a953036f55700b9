/*
 * A reader: takes what there is of events and mail, goes to sleep, and judges all that it sees.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "bus/bell.h"
#include "bus/directory.h"
#include "bus/mailbox.h"
#include "torture.h"

struct reader {
	struct field *field;
	struct report *report;
	struct ring *ring;
	unsigned slot;
	uint64_t seq; /* of the last event that was read */
	uint64_t last_at_ms;
	bool is_level;		     /* with `last`: nothing was missed since */
	struct stamp last[WRITERS];  /* life 0: nothing known */
	struct stamp mails[WRITERS]; /* the next mail that is expected of each; life 0: of any */
	struct buf frames, labels, should, mail;
};

/* The event is exactly what its publisher made, under the seq and time that the ring says. */
static void
check_content(struct reader *r, const struct ring_record *record, const struct stamp *stamp)
{
	struct ring_draft draft;

	CHECK(r->report, record->seq == r->seq + 1);
	CHECK(r->report, record->publisher == stamp->writer);
	CHECK(r->report, span_is(buf_span(&r->labels), "torture.eventkey"));
	CHECK(r->report, record->name_len == 13 && record->key_len == 3);
	torture_event(&r->should, stamp, record->seq, record->at_ms, &draft);
	CHECK(r->report, span_is_equal(buf_span(&r->frames), buf_span(&r->should)));
}

/*
 * It follows on what the reader has seen of the same publisher before. At the end of a life all that
 * was acknowledged has been seen, and at most one event more.
 */
static void
check_order(struct reader *r, const struct ring_record *record, const struct stamp *stamp)
{
	struct stamp *last = &r->last[stamp->writer];

	CHECK(r->report, record->at_ms >= r->last_at_ms);
	CHECK(r->report, stamp->life >= last->life);
	if (last->life != 0 && stamp->life == last->life) {
		CHECK(r->report, stamp->number == last->number + 1);
	} else if (last->life != 0) {
		uint64_t published = atomic_load(&r->field->published[last->life]);

		CHECK(r->report, stamp->number == 0);
		CHECK(r->report, last->number + 1 == published || last->number == published);
	}
	r->last_at_ms = record->at_ms;
	*last = *stamp;
}

/* What was missed was missed of all writers alike. */
static void
jump(struct reader *r)
{
	uint64_t oldest = ring_oldest(r->ring);

	CHECK(r->report, oldest > r->seq + 1);
	ring_reader_lapped(r->ring, r->slot, oldest - r->seq - 1);
	r->seq = oldest - 1;
	memset(r->last, 0, sizeof(r->last));
	atomic_fetch_add(&r->report->laps, 1);
}

static enum ring_verdict
read_event(struct reader *r)
{
	struct ring_record record;
	struct stamp stamp;
	enum ring_verdict verdict;

	buf_reset(&r->frames);
	buf_reset(&r->labels);
	verdict = ring_read(r->ring, r->seq + 1, &r->frames, &r->labels, &record);
	CHECK(r->report, verdict != RING_DAMAGED && verdict != RING_NOMEM);
	if (verdict == RING_LAPPED)
		jump(r);
	if (verdict != RING_RECORD)
		return verdict;
	CHECK(r->report, torture_stamp(buf_span(&r->frames), &stamp) && stamp.writer < WRITERS);
	check_content(r, &record, &stamp);
	check_order(r, &record, &stamp);
	r->seq++;
	ring_reader_moved(r->ring, r->slot, r->seq);
	atomic_fetch_add(&r->report->done, 1);
	return verdict;
}

/*
 * Mail of one life comes in order and without a hole. Of a life that ended, all came that was
 * acknowledged, and at most one more; a reader that began later has not seen the first ones.
 */
static void
check_mail(struct reader *r, const struct stamp *stamp)
{
	struct stamp *next = &r->mails[stamp->writer];
	unsigned me = r->slot - WRITERS;

	CHECK(r->report, stamp->life >= next->life);
	if (next->life != 0 && stamp->life == next->life) {
		CHECK(r->report, stamp->number == next->number);
	} else if (next->life != 0) {
		uint64_t mailed = atomic_load(&r->field->mailed[next->life][me]);

		CHECK(r->report, stamp->number == 0);
		CHECK(r->report, next->number == mailed || next->number == mailed + 1);
	}
	*next = *stamp;
	next->number++;
}

static bool
take_mail(struct reader *r)
{
	struct mail mail;
	struct stamp stamp;
	enum mailbox_verdict verdict =
	    mailbox_receive(segment_mailbox(r->field->segment, r->slot), &r->mail, &mail);

	CHECK(r->report, verdict != MAILBOX_DAMAGED && verdict != MAILBOX_NOMEM);
	if (verdict == MAILBOX_EMPTY)
		return false;
	CHECK(r->report, mail.body.n >= sizeof(stamp));
	memcpy(&stamp, mail.body.p, sizeof(stamp));
	CHECK(r->report, stamp.writer == mail.from_slot && stamp.writer < WRITERS);
	torture_mail(&r->should, &stamp);
	CHECK(r->report, span_is_equal(mail.body, buf_span(&r->should)));
	check_mail(r, &stamp);
	atomic_fetch_add(&r->report->mails, 1);
	return true;
}

/* Nobody sleeps over work: who was not called in all that time must have had none. */
static void
sleep_for_work(struct reader *r)
{
	struct segment *segment = r->field->segment;
	struct pollfd fd = { .fd = segment_bell_fd(segment, r->slot), .events = POLLIN };
	int n;

	if (!bell_arm(segment, r->slot, r->seq))
		return;
	atomic_fetch_add(&r->report->sleeps, 1);
	do
		n = poll(&fd, 1, IDLE_MS);
	while (n < 0 && errno == EINTR);
	CHECK(r->report, n == 1 || ring_head(r->ring) == r->seq);
	bell_disarm(segment, r->slot);
	bell_drain(segment, r->slot);
}

void
torture_read(struct field *field, unsigned slot, uint64_t seed)
{
	struct reader r = {
		.field = field,
		.report = &field->reports[slot],
		.ring = segment_ring(field->segment),
		.slot = slot,
	};

	r.seq = ring_head(r.ring);
	for (;;) {
		unsigned share = (unsigned)(torture_random(&seed) % 64);
		bool more = true;

		while (more && share-- > 0)
			more = read_event(&r) != RING_EMPTY;
		while (take_mail(&r))
			more = true;
		if (!more) {
			directory_close_requests(segment_directory(field->segment), slot);
			sleep_for_work(&r);
		}
	}
}
