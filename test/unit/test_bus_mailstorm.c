/*
 * A mailbox under fire: three writers, of which one after the other is killed at whatever
 * instruction it has come to, and then the reader too.
 *
 * Held: what a writer was told is sent arrives, once, in its order, with every byte; at most the
 * one mail that it was sending when it died may have arrived besides.
 */
#include "support_bus.h"

#include <errno.h>
#include <signal.h>

#include "support_children.h"

enum {
	WRITERS = 3,
	READER = 3, /* slot */
	KILLS = 300,
	STRIDE_MAX = 400, /* mails between two kills, at most */
	BODY_MAX = 700,
	KIND_PLAIN = 1,
	KIND_RESERVED = 2, /* uses the reserve */
	RESERVED_BODY = 64,
};

/* What a writer tells the test, and the test itself. */
struct report {
	_Atomic uint64_t sent; /* mails of this life that were said to be sent */
	_Atomic uint32_t fault;
};

struct storm {
	struct bus *bus;
	struct mailbox *mailbox;
	struct report *reports;
	pid_t pids[WRITERS];
	uint32_t lives[WRITERS];
	uint64_t received[WRITERS]; /* mails of this life that have arrived */
	struct buf body;
	uint64_t seed;
	uint64_t total;
};

/* The body of a mail follows from who sent it and as which. */
static struct span
make_body(char *out, unsigned slot, uint32_t life, uint64_t number)
{
	uint64_t seed = number << 20 ^ (uint64_t)life << 4 ^ slot;
	size_t len = support_random(&seed) % BODY_MAX;

	for (size_t i = 0; i < len; i += sizeof(uint64_t)) {
		uint64_t word = support_random(&seed);

		memcpy(out + i, &word, sizeof(word));
	}
	return span_make(out, len);
}

/* Sends until it is killed; where there is no room it tries again. */
static void
send_mail(struct storm *storm, unsigned slot, uint32_t life)
{
	struct report *report = &storm->reports[slot];
	char bytes[BODY_MAX + 8];
	struct mail mail = {
		.kind = KIND_PLAIN, .from_slot = (uint16_t)slot, .from_generation = life
	};

	for (;;) {
		int r;

		mail.token = report->sent;
		mail.body = make_body(bytes, slot, life, mail.token);
		r = mailbox_send(storm->mailbox, &mail);
		if (r == 0)
			report->sent++;
		else if (r == -ENOBUFS || r == -ETIMEDOUT)
			support_wait(0);
		else
			report->fault = (uint32_t)-r;
	}
}

static void
start(struct storm *storm, unsigned slot)
{
	uint32_t life = ++storm->lives[slot];
	pid_t pid;

	storm->reports[slot].sent = 0;
	storm->received[slot] = 0;
	pid = support_fork();
	if (pid == 0) {
		if (nice(10) < 0)
			_exit(EXIT_FAILURE);
		send_mail(storm, slot, life);
	}
	storm->pids[slot] = pid;
}

static void
check_mail(struct storm *storm, const struct mail *mail)
{
	char bytes[BODY_MAX + 8];
	unsigned slot = mail->from_slot;

	assert_true(slot < WRITERS);
	assert_int_equal(mail->from_generation, storm->lives[slot]);
	assert_true(mail->token == storm->received[slot]);
	assert_true(
	    span_is_equal(mail->body, make_body(bytes, slot, mail->from_generation, mail->token)));
	storm->received[slot]++;
	storm->total++;
}

/* Takes one mail, if there is one. */
static bool
take_one(struct storm *storm)
{
	struct mail mail;
	enum mailbox_verdict verdict = mailbox_receive(storm->mailbox, &storm->body, &mail);

	assert_true(verdict == MAILBOX_MAIL || verdict == MAILBOX_EMPTY);
	if (verdict == MAILBOX_EMPTY)
		return false;
	if (mail.kind == KIND_PLAIN)
		check_mail(storm, &mail);
	return true;
}

/* Takes as many mails as that, whoever sends them. */
static void
take_many(struct storm *storm, uint64_t count)
{
	uint64_t deadline = support_deadline(SUPPORT_PATIENCE_MS);

	while (count > 0) {
		if (take_one(storm))
			count--;
		else if (!support_wait(deadline))
			fail_msg("no mail comes any more");
	}
}

/* A writer is dead: all that it had sent has arrived, and perhaps what it was sending. */
static void
check_account(struct storm *storm, unsigned slot)
{
	uint64_t sent = storm->reports[slot].sent;
	uint64_t received = storm->received[slot];

	if (received != sent && received != sent + 1)
		fail_msg("writer %u: sent %llu, received %llu", slot, (unsigned long long)sent,
		    (unsigned long long)received);
	assert_int_equal(storm->reports[slot].fault, 0);
}

static void
storm_init(struct storm *storm, void **state)
{
	memset(storm, 0, sizeof(*storm));
	storm->bus = *state;
	storm->mailbox = segment_mailbox(storm->bus->segment, READER);
	storm->reports = support_share(WRITERS * sizeof(struct report));
	storm->seed = (uint64_t)getpid();
	for (unsigned slot = 0; slot < WRITERS; slot++)
		start(storm, slot);
}

static void
storm_fini(struct storm *storm)
{
	for (unsigned slot = 0; slot < WRITERS; slot++)
		support_kill(storm->pids[slot]);
	buf_fini(&storm->body);
}

static void
test_no_mail_is_lost_or_doubled(void **state)
{
	struct storm storm;

	storm_init(&storm, state);
	for (unsigned kills = 0; kills < KILLS; kills++) {
		unsigned slot = (unsigned)(support_random(&storm.seed) % WRITERS);

		take_many(&storm, support_random(&storm.seed) % STRIDE_MAX);
		support_kill(storm.pids[slot]);
		/* What was in the mailbox at its death; the others send on. */
		for (size_t n = mailbox_used(storm.mailbox) / 32 + 1; n > 0; n--)
			take_one(&storm);
		check_account(&storm, slot);
		segment_clear_slot(storm.bus->segment, slot);
		start(&storm, slot);
	}
	print_message("%llu mails, %u kills, %llu deaths in the lock\n",
	    (unsigned long long)storm.total, KILLS,
	    (unsigned long long)mailbox_recoveries(storm.mailbox));
	storm_fini(&storm);
}

/* However full others keep the mailbox, each mail for which room was reserved gets in. */
static void
test_reserve_holds_in_the_storm(void **state)
{
	static const char zeros[RESERVED_BODY];
	const struct mail answer = {
		.kind = KIND_RESERVED, .body = { zeros, RESERVED_BODY }, .uses_reserve = true
	};
	struct storm storm;
	unsigned reserved = 0;

	storm_init(&storm, state);
	for (unsigned round = 0; round < 300; round++) {
		take_many(&storm, 20);
		for (reserved = 0; reserved < 50; reserved++)
			if (mailbox_reserve(storm.mailbox, RESERVED_BODY) != 0)
				break;
		for (unsigned i = 0; i < reserved; i++)
			assert_int_equal(mailbox_send(storm.mailbox, &answer), 0);
		for (unsigned i = 0; i < reserved; i++)
			mailbox_unreserve(storm.mailbox, RESERVED_BODY);
	}
	assert_int_equal(mailbox_reserved(storm.mailbox), 0);
	storm_fini(&storm);
}

/* Reads until it is killed; its successor may find mail missing, but none twice or torn. */
static void
read_mail(struct storm *storm, _Atomic uint64_t *highest, _Atomic uint32_t *fault)
{
	char bytes[BODY_MAX + 8];
	struct mail mail;

	for (;;) {
		enum mailbox_verdict verdict = mailbox_receive(storm->mailbox, &storm->body, &mail);

		if (verdict == MAILBOX_EMPTY) {
			support_wait(0);
			continue;
		}
		if (verdict != MAILBOX_MAIL || mail.from_slot >= WRITERS)
			*fault = 1;
		else if (mail.token + 1 <= highest[mail.from_slot])
			*fault = 2;
		else if (!span_is_equal(mail.body,
			     make_body(bytes, mail.from_slot, mail.from_generation, mail.token)))
			*fault = 3;
		highest[mail.from_slot] = mail.token + 1;
	}
}

static void
test_reader_is_killed(void **state)
{
	_Atomic uint64_t *highest = support_share(WRITERS * sizeof(*highest));
	_Atomic uint32_t *fault = support_share(sizeof(*fault));
	struct storm storm;

	storm_init(&storm, state);
	for (unsigned kills = 0; kills < KILLS / 3; kills++) {
		uint64_t deadline = support_deadline(SUPPORT_PATIENCE_MS);
		uint64_t goal = highest[0] + 1 + support_random(&storm.seed) % STRIDE_MAX;
		pid_t pid = support_fork();

		if (pid == 0)
			read_mail(&storm, highest, fault);
		while (highest[0] < goal)
			assert_true(support_wait(deadline));
		support_kill(pid);
		segment_clear_slot(storm.bus->segment, READER);
		assert_int_equal(*fault, 0);
	}
	storm_fini(&storm);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		bus_test(test_no_mail_is_lost_or_doubled),
		bus_test(test_reserve_holds_in_the_storm),
		bus_test(test_reader_is_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
