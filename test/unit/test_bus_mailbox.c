/*
 * Mailboxes in one process: nothing lost, nothing overwritten, room kept for answers, and
 * contents that contradict themselves dropped.
 */
#include "support_bus.h"

#include <errno.h>
#include <signal.h>

#include "bus/layout.h"
#include "support_alloc.h"
#include "support_children.h"

/* A mailbox over memory of the test's own, so that it can be spoilt, and shared with children. */
struct box {
	struct mailbox_shared shared;
	struct mailbox *mailbox;
	struct buf body;
	struct mail mail;
	char data[MAILBOX_BYTES_MIN];
};

static int
box_setup(void **state)
{
	struct box *box = support_share(sizeof(*box));

	box->mailbox = mailbox_new(&box->shared, box->data, sizeof(box->data));
	*state = box;
	if (mailbox_format(box->mailbox) != 0)
		return -1;
	mailbox_set_open(box->mailbox);
	return 0;
}

static int
box_teardown(void **state)
{
	struct box *box = *state;

	buf_fini(&box->body);
	mailbox_free(box->mailbox);
	return 0;
}

#define box_test(test) cmocka_unit_test_setup_teardown(test, box_setup, box_teardown)

static const char zeros[MAILBOX_BYTES_MIN];

static int
send(struct box *box, size_t len, bool uses_reserve)
{
	struct mail mail = { .kind = 1, .body = span_make(zeros, len) };

	mail.uses_reserve = uses_reserve;
	return mailbox_send(box->mailbox, &mail);
}

static enum mailbox_verdict
receive(struct box *box)
{
	return mailbox_receive(box->mailbox, &box->body, &box->mail);
}

static void
test_what_is_sent_is_received(void **state)
{
	struct box *box = *state;
	const struct mail mail = {
		.kind = 7,
		.from_slot = 3,
		.from_generation = 12,
		.token = UINT64_C(0x123456789abcdef0),
		.body = SPAN("a question"),
	};

	assert_int_equal(receive(box), MAILBOX_EMPTY);
	assert_true(mailbox_is_empty(box->mailbox));
	assert_int_equal(mailbox_send(box->mailbox, &mail), 0);
	assert_false(mailbox_is_empty(box->mailbox));
	assert_int_equal(mailbox_used(box->mailbox), 32 + 16);
	assert_int_equal(receive(box), MAILBOX_MAIL);
	assert_int_equal(box->mail.kind, 7);
	assert_int_equal(box->mail.from_slot, 3);
	assert_int_equal(box->mail.from_generation, 12);
	assert_true(box->mail.token == mail.token);
	assert_span(box->mail.body, "a question");
	assert_int_equal(mailbox_used(box->mailbox), 0);
	assert_int_equal(receive(box), MAILBOX_EMPTY);
	assert_int_equal(box->body.len, 0);
}

/* Every length across every place, so that header and body wrap at each point. */
static void
test_order_and_content_across_the_end(void **state)
{
	struct box *box = *state;
	char body[300];
	unsigned sent = 0;
	unsigned received = 0;

	while (received < 20000) {
		struct mail mail = { .token = sent, .body = span_make(body, sent % sizeof(body)) };

		memset(body, (int)sent, sizeof(body));
		if (mailbox_send(box->mailbox, &mail) == 0) {
			sent++;
			continue;
		}
		for (unsigned i = sent % 7 + 1; i > 0 && received < sent; i--, received++) {
			assert_int_equal(receive(box), MAILBOX_MAIL);
			assert_int_equal(box->mail.token, received);
			assert_int_equal(box->mail.body.n, received % sizeof(body));
			for (size_t k = 0; k < box->mail.body.n; k++)
				assert_int_equal((uint8_t)box->mail.body.p[k], (uint8_t)received);
		}
	}
}

static void
test_lengths(void **state)
{
	struct box *box = *state;
	size_t max = mailbox_body_max(box->mailbox);

	assert_int_equal(max, MAILBOX_BYTES_MIN / 4);
	assert_int_equal(send(box, max + 1, false), -EMSGSIZE);
	assert_int_equal(send(box, SIZE_MAX, false), -EMSGSIZE);
	assert_int_equal(send(box, max, false), 0);
	assert_int_equal(receive(box), MAILBOX_MAIL);
	assert_int_equal(box->mail.body.n, max);
	assert_int_equal(send(box, 0, false), 0);
	assert_int_equal(receive(box), MAILBOX_MAIL);
	assert_int_equal(box->mail.body.n, 0);
}

static void
test_full_to_the_last_byte(void **state)
{
	struct box *box = *state;
	unsigned count = 0;

	while (send(box, 32, false) == 0)
		count++;
	assert_int_equal(count, MAILBOX_BYTES_MIN / 64);
	assert_int_equal(mailbox_used(box->mailbox), mailbox_capacity(box->mailbox));
	assert_int_equal(send(box, 0, false), -ENOBUFS);
	assert_int_equal(send(box, 0, true), -ENOBUFS);
	for (; count > 0; count--)
		assert_int_equal(receive(box), MAILBOX_MAIL);
	assert_int_equal(receive(box), MAILBOX_EMPTY);
}

static void
test_closed_mailbox_refuses(void **state)
{
	struct box *box = *state;

	assert_int_equal(mailbox_format(box->mailbox), 0);
	assert_int_equal(send(box, 1, false), -ENOTCONN);
	assert_int_equal(receive(box), MAILBOX_EMPTY);
}

/* Whatever others send, an answer for which room was reserved is delivered. */
static void
test_reserve_is_kept(void **state)
{
	struct box *box = *state;
	unsigned reserved = 0;

	for (; reserved < 10; reserved++)
		assert_int_equal(mailbox_reserve(box->mailbox, 500), 0);
	while (send(box, 1000, false) == 0)
		;
	while (send(box, 0, false) == 0)
		;
	assert_int_equal(mailbox_reserve(box->mailbox, 500), -ENOBUFS);
	for (unsigned i = 0; i < reserved; i++)
		assert_int_equal(send(box, 500, true), 0);
	assert_int_equal(send(box, 500, true), -ENOBUFS);
	for (unsigned i = 0; i < reserved; i++)
		mailbox_unreserve(box->mailbox, 500);
	assert_int_equal(mailbox_reserved(box->mailbox), 0);
	while (receive(box) == MAILBOX_MAIL)
		;
	assert_int_equal(mailbox_used(box->mailbox), 0);
}

static void
test_reserve_has_bounds(void **state)
{
	struct box *box = *state;
	size_t max = mailbox_body_max(box->mailbox);
	unsigned count = 0;

	assert_int_equal(mailbox_reserve(box->mailbox, max + 1), -ENOBUFS);
	assert_int_equal(mailbox_reserve(box->mailbox, SIZE_MAX), -ENOBUFS);
	while (mailbox_reserve(box->mailbox, 480) == 0)
		count++;
	assert_int_equal(count, MAILBOX_BYTES_MIN / 2 / 512);
	assert_int_equal(mailbox_reserved(box->mailbox), MAILBOX_BYTES_MIN / 2);
	assert_int_equal(send(box, 1000, false), 0);
	for (unsigned i = 0; i < count + 5; i++)
		mailbox_unreserve(box->mailbox, 480);
	assert_int_equal(mailbox_reserved(box->mailbox), 0);
}

static void
test_clear_drops_mail_and_reserve(void **state)
{
	struct box *box = *state;

	assert_int_equal(send(box, 100, false), 0);
	assert_int_equal(mailbox_reserve(box->mailbox, 100), 0);
	mailbox_clear(box->mailbox);
	assert_int_equal(receive(box), MAILBOX_EMPTY);
	assert_int_equal(mailbox_reserved(box->mailbox), 0);
	assert_int_equal(send(box, 100, false), 0);
	assert_int_equal(receive(box), MAILBOX_MAIL);
}

static void
test_no_memory_leaves_the_mail(void **state)
{
	struct box *box = *state;

	assert_int_equal(send(box, 100, false), 0);
	support_alloc_fail_at(1);
	assert_int_equal(receive(box), MAILBOX_NOMEM);
	support_alloc_fail_at(0);
	assert_int_equal(receive(box), MAILBOX_MAIL);
}

/* The header of the mail that waits at the very beginning. */
static struct mail_header *
first_header(struct box *box)
{
	return (struct mail_header *)(void *)box->data;
}

/* One way or another of spoiling what waits. */
static void
spoil(struct box *box, unsigned how)
{
	switch (how) {
	case 0:
		first_header(box)->body_len = UINT32_MAX;
		break;
	case 1:
		first_header(box)->body_len = 105;
		break;
	case 2:
		first_header(box)->kind++;
		break;
	case 3:
		first_header(box)->check++;
		break;
	case 4:
		box->data[40] ^= 1;
		break;
	case 5:
		atomic_fetch_add(&box->shared.written, 1);
		break;
	case 6:
		atomic_fetch_sub(&box->shared.written, 8);
		break;
	case 7:
		atomic_fetch_add(&box->shared.written, UINT64_C(1) << 60);
		break;
	case 8:
		atomic_fetch_add(&box->shared.taken, 3);
		break;
	default:
		atomic_store(&box->shared.taken, atomic_load(&box->shared.written) - 8);
		break;
	}
}

static void
test_spoilt_mail_is_dropped(void **state)
{
	struct box *box = *state;

	for (unsigned how = 0; how <= 9; how++) {
		assert_int_equal(mailbox_format(box->mailbox), 0);
		mailbox_set_open(box->mailbox);
		assert_int_equal(send(box, 100, false), 0);
		spoil(box, how);
		assert_int_equal(receive(box), MAILBOX_DAMAGED);
		assert_int_equal(box->body.len, 0);
		assert_int_equal(receive(box), MAILBOX_EMPTY);
		assert_int_equal(send(box, 100, false), 0);
		assert_int_equal(receive(box), MAILBOX_MAIL);
		assert_int_equal(box->mail.body.n, 100);
	}
}

static void
test_spoilt_positions_are_refused_by_writers(void **state)
{
	struct box *box = *state;

	assert_int_equal(send(box, 100, false), 0);
	spoil(box, 7);
	assert_int_equal(send(box, 100, false), -ENOTRECOVERABLE);
	assert_int_equal(mailbox_reserve(box->mailbox, 100), -ENOTRECOVERABLE);
	assert_int_equal(mailbox_used(box->mailbox), mailbox_capacity(box->mailbox));
	mailbox_clear(box->mailbox);
	assert_int_equal(send(box, 100, false), 0);
	atomic_store(&box->shared.reserved, UINT64_MAX - 7);
	assert_int_equal(send(box, 100, false), -ENOBUFS);
	assert_int_equal(send(box, 100, true), 0);
	assert_int_equal(mailbox_reserve(box->mailbox, 100), -ENOBUFS);
}

/* Memory that was given back reads as zeros, and those are no mail. */
static void
test_zeros_are_no_mail(void **state)
{
	struct box *box = *state;

	atomic_store(&box->shared.written, 2 * sizeof(struct mail_header));
	assert_int_equal(receive(box), MAILBOX_DAMAGED);
	assert_int_equal(receive(box), MAILBOX_EMPTY);
}

/* Positions that no mailbox of ours reaches: the reader that looks puts them right. */
static void
test_spoilt_positions_are_mended(void **state)
{
	struct box *box = *state;
	static const uint64_t positions[] = { UINT64_MAX, UINT64_MAX - 7, 3,
		(UINT64_C(1) << 62) + 8 };

	for (size_t i = 0; i < ARRAY_LEN(positions); i++) {
		atomic_store(&box->shared.written, positions[i]);
		atomic_store(&box->shared.taken, positions[i]);
		assert_int_equal(send(box, 100, false), -ENOTRECOVERABLE);
		assert_int_equal(receive(box), MAILBOX_DAMAGED);
		for (unsigned n = 0; n < 3; n++)
			assert_int_equal(send(box, 10000, false), 0);
		for (unsigned n = 0; n < 3; n++)
			assert_int_equal(receive(box), MAILBOX_MAIL);
	}
	atomic_store(&box->shared.written, UINT64_C(1) << 62);
	mailbox_clear(box->mailbox);
	assert_int_equal(send(box, 10000, false), 0);
	assert_int_equal(send(box, 10000, false), 0);
}

/*
 * Each step of a writer that dies with the lock in its hand: what it had written before is no
 * mail.
 */
static void
test_writer_dies_in_the_lock(void **state)
{
	struct box *box = *state;

	for (unsigned step = 0; step < 3; step++) {
		pid_t pid = support_fork();

		if (pid == 0) {
			int r = shlock_take(&box->shared.lock, NULL);

			if (step > 0)
				memset(box->data + atomic_load(&box->shared.written), 0xff, 32);
			if (step > 1)
				memset(box->data + atomic_load(&box->shared.written), 0xff, 200);
			_exit(r == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
		}
		assert_int_equal(support_reap(pid), EXIT_SUCCESS);
		assert_int_equal(receive(box), MAILBOX_EMPTY);
		if (step == 0)
			assert_int_equal(mailbox_reserve(box->mailbox, 100), 0);
		assert_int_equal(send(box, 100, false), 0);
		assert_int_equal(receive(box), MAILBOX_MAIL);
		assert_int_equal(mailbox_recoveries(box->mailbox), step + 1);
	}
}

static void
test_writer_stands_still_in_the_lock(void **state)
{
	struct box *box = *state;
	uint64_t deadline = support_deadline(SUPPORT_PATIENCE_MS);
	pid_t pid;

	assert_int_equal(send(box, 100, false), 0);
	pid = support_fork();
	if (pid == 0) {
		if (shlock_take(&box->shared.lock, NULL) == 0)
			raise(SIGSTOP);
		_exit(EXIT_FAILURE);
	}
	while (mailbox_stuck_holder(box->mailbox, 1) == 0)
		assert_true(support_wait(deadline));
	assert_int_equal(mailbox_stuck_holder(box->mailbox, 1), pid);
	assert_int_equal(send(box, 100, false), -ETIMEDOUT);
	assert_int_equal(mailbox_reserve(box->mailbox, 100), -ETIMEDOUT);
	assert_int_equal(receive(box), MAILBOX_MAIL);
	mailbox_clear(box->mailbox);
	support_kill(pid);
	mailbox_mend(box->mailbox);
	assert_int_equal(mailbox_recoveries(box->mailbox), 1);
	assert_int_equal(send(box, 100, false), 0);
}

/* Writes nonsense over all of the mailbox but its lock, without end. */
static void
scribble(struct box *box)
{
	uint64_t seed = 1;

	for (;;) {
		uint64_t random = support_random(&seed);

		if (random >> 60 == 0)
			atomic_store(&box->shared.written, random >> 32 & 0x1fff8);
		else if (random >> 60 == 1)
			atomic_store(&box->shared.taken, random >> 32 & 0x1ffff);
		else if (random >> 60 == 2)
			atomic_store(&box->shared.reserved, random >> 32 & 0xffff);
		else
			box->data[random % sizeof(box->data)] = (char)(random >> 32);
	}
}

/* A process of ours runs wild: what it writes is believed or not, but followed nowhere. */
static void
test_wild_process(void **state)
{
	struct box *box = *state;
	unsigned verdicts[MAILBOX_NOMEM + 1] = { 0 };
	pid_t pid = support_fork();

	if (pid == 0)
		scribble(box);
	for (unsigned i = 0; i < 200000; i++) {
		(void)send(box, i % 1000, i % 3 == 0);
		verdicts[receive(box)]++;
		assert_true(box->body.len <= mailbox_body_max(box->mailbox));
		assert_true(mailbox_used(box->mailbox) <= MAILBOX_BYTES_MIN);
		if (i % 16 == 0 && mailbox_reserve(box->mailbox, 100) == 0)
			mailbox_unreserve(box->mailbox, 100);
	}
	assert_int_equal(verdicts[MAILBOX_NOMEM], 0);
	assert_true(verdicts[MAILBOX_DAMAGED] > 0);
	support_kill(pid);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		box_test(test_what_is_sent_is_received),
		box_test(test_order_and_content_across_the_end),
		box_test(test_lengths),
		box_test(test_full_to_the_last_byte),
		box_test(test_closed_mailbox_refuses),
		box_test(test_reserve_is_kept),
		box_test(test_reserve_has_bounds),
		box_test(test_clear_drops_mail_and_reserve),
		box_test(test_no_memory_leaves_the_mail),
		box_test(test_spoilt_mail_is_dropped),
		box_test(test_spoilt_positions_are_refused_by_writers),
		box_test(test_zeros_are_no_mail),
		box_test(test_spoilt_positions_are_mended),
		box_test(test_writer_dies_in_the_lock),
		box_test(test_writer_stands_still_in_the_lock),
		box_test(test_wild_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
