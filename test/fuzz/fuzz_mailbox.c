/*
 * A mailbox when another process of ours runs wild: mail sent, received and reserved for, between
 * that anything written over positions and data. What must hold for any bytes: no access outside,
 * mail within its bounds or none, damage leaves an empty mailbox behind, and one that was cleared
 * serves again, first in first out.
 *
 * All of the shared memory is at the feed's mercy but the mutex, which is glibc's own.
 */
#include <errno.h>

#include "bus/checksum.h"
#include "bus/layout.h"
#include "bus/mailbox.h"
#include "fuzz.h"

enum {
	DATA_BYTES = 3 * 1024, /* no power of two: a position that runs over is elsewhere */
	OPERATIONS_MAX = 200,
	BODY_MAX = DATA_BYTES / 4,
	SALT_HEADER = 5, /* as in bus/mailbox.c: a wild process can sum up as well as we can */
	SALT_BODY = 6,
};

struct stage {
	struct mailbox *mailbox;
	struct mailbox_shared *shared;
	char *data;
	struct buf into;
};

static void
stage_open(struct stage *stage)
{
	stage->shared = aligned_alloc(LAYOUT_LINE, sizeof(*stage->shared));
	stage->data = block_new(DATA_BYTES);
	must(stage->shared != NULL);
	stage->mailbox = mailbox_new(stage->shared, stage->data, DATA_BYTES);
	must(stage->mailbox != NULL);
}

/* --- our own doing ------------------------------------------------------------------------ */

static int
send_mail(struct stage *stage, struct feed *feed)
{
	static const char bytes[BODY_MAX + 2] = "mail";
	size_t used = mailbox_used(stage->mailbox);
	struct mail mail = {
		.kind = feed_byte(feed),
		.from_slot = feed_byte(feed),
		.token = feed_byte(feed),
		.body = span_make(bytes, feed_bytes(feed, 2) % sizeof(bytes)),
		.uses_reserve = feed_byte(feed) % 2 != 0,
	};
	int r = mailbox_send(stage->mailbox, &mail);

	must(r == 0 || r == -ENOBUFS || r == -EMSGSIZE || r == -ENOTCONN || r == -ENOTRECOVERABLE);
	must((r == -EMSGSIZE) == (mail.body.n > mailbox_body_max(stage->mailbox)));
	if (r == 0)
		must(mailbox_used(stage->mailbox) > used);
	else
		must(mailbox_used(stage->mailbox) == used);
	return r;
}

static enum mailbox_verdict
receive(struct stage *stage, struct mail *ret)
{
	bool was_empty = mailbox_is_empty(stage->mailbox);
	struct mail small = { .uses_reserve = true };
	enum mailbox_verdict verdict = mailbox_receive(stage->mailbox, &stage->into, ret);

	must(verdict != MAILBOX_NOMEM);
	must(was_empty ? verdict != MAILBOX_MAIL : verdict != MAILBOX_EMPTY);
	if (verdict == MAILBOX_MAIL) {
		must(ret->body.n <= mailbox_body_max(stage->mailbox));
		must(ret->body.p == stage->into.data && ret->body.n == stage->into.len);
		return verdict;
	}
	must(stage->into.len == 0);
	must(mailbox_is_empty(stage->mailbox));
	/* A reader that looks heals what it finds. */
	must(mailbox_send(stage->mailbox, &small) != -ENOTRECOVERABLE);
	return verdict;
}

static void
reserve(struct stage *stage, struct feed *feed)
{
	size_t bytes = feed_bytes(feed, 2) % (BODY_MAX + 2);
	size_t before = mailbox_reserved(stage->mailbox), after;
	int r = mailbox_reserve(stage->mailbox, bytes);

	must(r == 0 || r == -ENOBUFS || r == -ENOTRECOVERABLE);
	if (r == 0)
		must(mailbox_reserved(stage->mailbox) > before);
	else
		must(mailbox_reserved(stage->mailbox) == before);
	if (feed_byte(feed) % 2 == 0)
		mailbox_unreserve(stage->mailbox, bytes);
	after = mailbox_reserved(stage->mailbox);
	must(after <= before || after - before <= bytes + MAILBOX_OVERHEAD);
}

static void
ask(struct stage *stage)
{
	must(mailbox_used(stage->mailbox) <= mailbox_capacity(stage->mailbox));
	must(mailbox_is_empty(stage->mailbox) == (mailbox_used(stage->mailbox) == 0));
	(void)mailbox_recoveries(stage->mailbox);
	(void)mailbox_stuck_holder(stage->mailbox, 0);
	mailbox_mend(stage->mailbox);
}

/* Whatever was done to it: once cleared, what is sent comes out, one after the other. */
static void
check_recovery(struct stage *stage)
{
	static const char body[BODY_MAX] = "body";
	struct mail mail = { .kind = 3, .from_slot = 1, .from_generation = 7, .token = 99 };
	struct mail got;

	mailbox_clear(stage->mailbox);
	must(mailbox_is_empty(stage->mailbox) && mailbox_reserved(stage->mailbox) == 0);
	mailbox_set_open(stage->mailbox);
	for (size_t n = 0; n <= BODY_MAX; n += BODY_MAX / 2) {
		mail.body = span_make(body, n);
		must(mailbox_send(stage->mailbox, &mail) == 0);
	}
	for (size_t n = 0; n <= BODY_MAX; n += BODY_MAX / 2) {
		must(receive(stage, &got) == MAILBOX_MAIL);
		must(got.kind == mail.kind && got.from_slot == mail.from_slot);
		must(got.from_generation == mail.from_generation && got.token == mail.token);
		must(span_is_equal(got.body, span_make(body, n)));
	}
	must(receive(stage, &got) == MAILBOX_EMPTY);
}

/* --- the other's doing -------------------------------------------------------------------- */

static void
put_byte(struct stage *stage, uint64_t pos, char byte)
{
	stage->data[pos % DATA_BYTES] = byte;
}

/* Mail at the place where the reader looks next, its check right for what it says. */
static void
forge_mail(struct stage *stage, struct feed *feed)
{
	uint64_t taken = atomic_load(&stage->shared->taken);
	struct span body = feed_span(feed, feed_byte(feed));
	struct mail_header header = {
		.body_len = (uint32_t)body.n,
		.kind = (uint16_t)feed_wild(feed),
		.from_slot = (uint16_t)feed_wild(feed),
		.from_generation = (uint32_t)feed_wild(feed),
		.spare = (uint32_t)feed_wild(feed),
		.token = feed_wild(feed),
	};
	char bytes[sizeof(header)];

	if (feed_byte(feed) % 4 == 0)
		header.body_len = (uint32_t)feed_wild(feed);
	header.check = 1 + checksum_bytes(&header, sizeof(header), SALT_HEADER) +
		       checksum_bytes(body.p, body.n, SALT_BODY);
	memcpy(bytes, &header, sizeof(header));
	for (size_t i = 0; i < sizeof(header); i++)
		put_byte(stage, taken + i, bytes[i]);
	for (size_t i = 0; i < body.n; i++)
		put_byte(stage, taken + sizeof(header) + i, body.p[i]);
	atomic_store(&stage->shared->written, taken + (sizeof(header) + body.n + 7) / 8 * 8);
}

static void
poke(struct stage *stage, struct feed *feed)
{
	_Atomic uint64_t *const words[] = { &stage->shared->written, &stage->shared->taken,
		&stage->shared->reserved };
	_Atomic uint64_t *word = words[feed_byte(feed) % 3];

	if (feed_byte(feed) % 2 == 0)
		atomic_store(word, feed_wild(feed));
	else
		atomic_fetch_add(word, feed_wild(feed));
}

static void
overlay_something(struct stage *stage, struct feed *feed)
{
	if (feed_byte(feed) % 2 == 0)
		overlay(feed, stage->data, DATA_BYTES);
	else
		overlay(feed, (void *)&stage->shared->written,
		    sizeof(*stage->shared) - offsetof(struct mailbox_shared, written));
}

static void
operate(struct stage *stage, struct feed *feed)
{
	struct mail mail;

	switch (feed_byte(feed) % 10) {
	case 0:
	case 1:
		(void)send_mail(stage, feed);
		break;
	case 2:
	case 3:
		(void)receive(stage, &mail);
		break;
	case 4:
		reserve(stage, feed);
		break;
	case 5:
		ask(stage);
		break;
	case 6:
		forge_mail(stage, feed);
		break;
	case 7:
		poke(stage, feed);
		break;
	case 8:
		mailbox_set_open(stage->mailbox);
		break;
	default:
		overlay_something(stage, feed);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static struct stage stage;
	struct feed feed = { bytes, n };

	if (stage.mailbox == NULL)
		stage_open(&stage);
	must(mailbox_format(stage.mailbox) == 0);
	memset(stage.data, 0, DATA_BYTES);
	if (feed_byte(&feed) % 4 != 0)
		mailbox_set_open(stage.mailbox);
	for (unsigned i = 0; i < OPERATIONS_MAX && feed.n > 0; i++)
		operate(&stage, &feed);
	ask(&stage);
	check_recovery(&stage);
	must(mailbox_adopt(stage.mailbox) == 0 && mailbox_is_empty(stage.mailbox));
	return 0;
}
