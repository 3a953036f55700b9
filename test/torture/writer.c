/*
 * A writer: publishes one event after the other, and sends mail in between.
 */
#include <errno.h>
#include <sched.h>

#include "base/clock.h"
#include "bus/bell.h"
#include "bus/mailbox.h"
#include "torture.h"

enum { MAIL_EACH = 4 };

struct writer {
	struct field *field;
	struct report *report;
	unsigned slot;
	struct stamp stamp;
	uint64_t mailed[READERS];
	uint64_t last_seq;
	struct buf text;
};

/* The longest time without a publication by anybody, as far as the parent has not fetched it. */
static void
note_progress(struct field *field)
{
	uint64_t now_ns = clock_mono_ns();
	uint64_t before = atomic_exchange(&field->published_ns, now_ns);
	uint64_t longest = atomic_load(&field->longest_ns);

	while (now_ns > before && now_ns - before > longest)
		if (atomic_compare_exchange_weak(&field->longest_ns, &longest, now_ns - before))
			break;
}

static void
publish(struct writer *w)
{
	struct ring *ring = segment_ring(w->field->segment);
	struct ring_draft draft = { .name = SPAN("torture.event"), .key = SPAN("key") };
	struct ring_receipt receipt;
	int r;

	do {
		torture_event(&w->text, &w->stamp, ring_head(ring) + 1, clock_real_ms(), &draft);
		r = ring_publish(ring, w->slot, &draft, &receipt);
	} while (r == -ERANGE || r == -ETIMEDOUT);
	CHECK(w->report, r == 0);
	CHECK(w->report, receipt.seq > w->last_seq);
	w->last_seq = receipt.seq;
	w->stamp.number++;
	atomic_store(&w->field->published[w->stamp.life], w->stamp.number);
	atomic_fetch_add(&w->report->done, 1);
	note_progress(w->field);
	bell_ring_all(w->field->segment);
}

static void
send_mail(struct writer *w, unsigned reader)
{
	struct stamp stamp = w->stamp;
	struct mail mail = { .kind = 1, .from_slot = (uint16_t)w->slot };
	int r;

	stamp.number = w->mailed[reader];
	torture_mail(&w->text, &stamp);
	mail.body = buf_span(&w->text);
	r = mailbox_send(segment_mailbox(w->field->segment, WRITERS + reader), &mail);
	CHECK(w->report, r == 0 || r == -ENOBUFS || r == -ETIMEDOUT);
	if (r != 0)
		return;
	w->mailed[reader]++;
	atomic_store(&w->field->mailed[w->stamp.life][reader], w->mailed[reader]);
	atomic_fetch_add(&w->report->mails, 1);
	bell_ring(w->field->segment, WRITERS + reader);
}

void
torture_write(struct field *field, unsigned slot, uint64_t life)
{
	struct writer w = { .field = field,
		.report = &field->reports[slot],
		.slot = slot,
		.stamp = { slot, life, 0 } };
	uint64_t seed = life;

	for (;;) {
		uint64_t random = torture_random(&seed);

		publish(&w);
		if (random % MAIL_EACH == 0)
			send_mail(&w, (unsigned)(random / MAIL_EACH % READERS));
		/* Now and then all are at rest, so that readers fall asleep. */
		if (random % 64 == 0)
			sched_yield();
	}
}
