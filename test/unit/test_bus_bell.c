/*
 * The bell: who sleeps is woken by whatever comes, and nobody else pays a system call. No test
 * here ever relies on looking again after a while: a wake-up that is lost is a failure.
 */
#include "support_bus.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>

#include "bus/bell.h"
#include "bus/layout.h"
#include "bus/wake.h"
#include "support_children.h"

enum {
	ROUNDS = 100000,
	MAIL_ROUNDS = 30000,
};

static bool
is_rung(struct bus *bus, unsigned slot)
{
	struct pollfd fd = { .fd = segment_bell_fd(bus->segment, slot), .events = POLLIN };

	return poll(&fd, 1, 0) == 1;
}

/* Sleeps until rung; false: nobody rang. */
static bool
sleep_until_rung(struct bus *bus, unsigned slot)
{
	struct pollfd fd = { .fd = segment_bell_fd(bus->segment, slot), .events = POLLIN };
	int n = poll(&fd, 1, SUPPORT_PATIENCE_MS);

	bell_disarm(bus->segment, slot);
	bell_drain(bus->segment, slot);
	return n == 1;
}

static int
publish(struct bus *bus, unsigned slot)
{
	struct ring_draft draft = { .name = SPAN("ping"), .frame = SPAN("frame") };
	struct ring_receipt receipt;
	int r = ring_publish(bus->ring, slot, &draft, &receipt);

	if (r == 0)
		bell_ring_all(bus->segment);
	return r;
}

static void
test_only_sleepers_are_rung(void **state)
{
	struct bus *bus = *state;

	assert_int_equal(publish(bus, 0), 0);
	bell_ring(bus->segment, 1);
	assert_false(is_rung(bus, 1));
	assert_true(bell_arm(bus->segment, 1, 1));
	assert_true(bell_arm(bus->segment, 4, 1));
	bell_ring(bus->segment, 0);
	assert_false(is_rung(bus, 1));
	bell_ring(bus->segment, 1);
	assert_true(is_rung(bus, 1));
	assert_false(is_rung(bus, 4));
	bell_drain(bus->segment, 1);
	bell_ring(bus->segment, 1);
	assert_false(is_rung(bus, 1));
	bell_ring_all(bus->segment);
	assert_false(is_rung(bus, 1));
	assert_true(is_rung(bus, 4));
	assert_false(wake_is_armed(segment_wake(bus->segment), 4));
	bell_force_all(bus->segment);
	for (unsigned slot = 0; slot < segment_slots(bus->segment); slot++)
		assert_true(is_rung(bus, slot));
}

static void
test_work_keeps_awake(void **state)
{
	struct bus *bus = *state;
	struct mail mail = { .body = SPAN("hello") };
	struct buf body = { 0 };
	uint32_t id;
	unsigned slot;

	assert_true(bell_arm(bus->segment, 1, 0));
	assert_int_equal(publish(bus, 0), 0);
	assert_false(bell_arm(bus->segment, 1, 0));
	assert_false(wake_is_armed(segment_wake(bus->segment), 1));
	assert_true(bell_arm(bus->segment, 1, 1));
	assert_int_equal(mailbox_send(segment_mailbox(bus->segment, 1), &mail), 0);
	assert_false(bell_arm(bus->segment, 1, 1));
	assert_true(bell_arm(bus->segment, 2, 1));
	assert_int_equal(
	    mailbox_receive(segment_mailbox(bus->segment, 1), &body, &mail), MAILBOX_MAIL);
	assert_true(bell_arm(bus->segment, 1, 1));
	assert_int_equal(directory_claim(bus->directory, 1, &id), 0);
	assert_int_equal(directory_request_close(bus->directory, id, SPAN("x"), &slot), 0);
	assert_false(bell_arm(bus->segment, 1, 1));
	directory_close_requests(bus->directory, 1);
	assert_true(bell_arm(bus->segment, 1, 1));
	buf_fini(&body);
}

static void
test_slots_that_are_none(void **state)
{
	struct bus *bus = *state;
	unsigned none = segment_slots(bus->segment);

	assert_false(bell_arm(bus->segment, none, 0));
	bell_disarm(bus->segment, none);
	bell_ring(bus->segment, none);
	bell_drain(bus->segment, none);
	assert_false(wake_is_armed(segment_wake(bus->segment), none));
	assert_int_equal(wake_fd(segment_wake(bus->segment), none), -1);
}

/* Bits of slots that there are none of wake nobody, and hurt nobody. */
static void
test_wild_bits(void **state)
{
	struct bus *bus = *state;

	for (unsigned slot = 0; slot < WAKE_SLOTS_MAX; slot++)
		wake_arm(segment_wake(bus->segment), slot);
	bell_ring_all(bus->segment);
	for (unsigned slot = 0; slot < segment_slots(bus->segment); slot++)
		assert_true(is_rung(bus, slot));
}

/* The lowest descriptor that is free: the same as before when nothing was left open. */
static int
free_descriptor(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	close(fd);
	return fd;
}

/* Too few descriptors for all slots, and more slots than there are bits. */
static void
test_wake_that_is_none(void **state)
{
	struct wake_shared *shared = support_share(sizeof(*shared));
	struct wake *wake = NULL;
	struct rlimit limit, low;
	int fd = free_descriptor();

	(void)state;
	assert_int_equal(wake_new(shared, WAKE_SLOTS_MAX + 1, &wake), -EINVAL);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = (rlim_t)fd + 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(wake_new(shared, 4, &wake), -EMFILE);
	assert_null(wake);
	assert_int_equal(free_descriptor(), fd);
	assert_int_equal(wake_new(shared, 3, &wake), 0);
	wake_free(wake);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* A process that died after it had taken the bit and before it wrote the eventfd. */
static void
test_death_between_bit_and_write(void **state)
{
	struct bus *bus = *state;

	assert_true(bell_arm(bus->segment, 1, 0));
	wake_disarm(segment_wake(bus->segment), 1);
	bell_ring(bus->segment, 1);
	assert_false(is_rung(bus, 1));
	segment_clear_slot(bus->segment, 0);
	assert_true(is_rung(bus, 1));
}

static void
test_dead_sleeper_is_forgotten(void **state)
{
	struct bus *bus = *state;

	assert_true(bell_arm(bus->segment, 1, 0));
	segment_clear_slot(bus->segment, 1);
	assert_false(wake_is_armed(segment_wake(bus->segment), 1));
}

/* Waits, asleep wherever it can, for the event `seq`. */
static bool
await_event(struct bus *bus, unsigned slot, uint64_t seq)
{
	uint64_t head;

	while ((head = ring_head(bus->ring)) < seq)
		if (bell_arm(bus->segment, slot, head) && !sleep_until_rung(bus, slot))
			return false;
	return true;
}

/*
 * Odd events are published by slot 0, even ones by slot 1, each when it has seen the one before.
 */
static bool
play_events(struct bus *bus, unsigned slot)
{
	for (uint64_t seq = slot + 1; seq <= ROUNDS; seq += 2)
		if (!await_event(bus, slot, seq - 1) || publish(bus, slot) < 0)
			return false;
	return true;
}

static void
test_no_wake_up_by_an_event_is_lost(void **state)
{
	struct bus *bus = *state;
	pid_t pid = support_fork();

	if (pid == 0)
		_exit(play_events(bus, 1) ? EXIT_SUCCESS : EXIT_FAILURE);
	assert_true(play_events(bus, 0));
	assert_int_equal(support_reap(pid), EXIT_SUCCESS);
	assert_true(ring_head(bus->ring) == ROUNDS);
}

static bool
send_token(struct bus *bus, unsigned to, uint64_t token)
{
	struct mail mail = { .token = token };

	if (mailbox_send(segment_mailbox(bus->segment, to), &mail) < 0)
		return false;
	bell_ring(bus->segment, to);
	return true;
}

/* Waits, asleep wherever it can, for mail; what it must say. */
static bool
await_token(struct bus *bus, unsigned slot, struct buf *body, uint64_t token)
{
	struct mail mail;
	enum mailbox_verdict verdict;

	for (;;) {
		verdict = mailbox_receive(segment_mailbox(bus->segment, slot), body, &mail);
		if (verdict != MAILBOX_EMPTY)
			return verdict == MAILBOX_MAIL && mail.token == token;
		if (bell_arm(bus->segment, slot, 0) && !sleep_until_rung(bus, slot))
			return false;
	}
}

static bool
play_mail(struct bus *bus, unsigned slot)
{
	struct buf body = { 0 };
	bool is_good = true;

	for (uint64_t token = 1; token <= MAIL_ROUNDS && is_good; token++)
		is_good = slot == 0
			      ? send_token(bus, 1, token) && await_token(bus, 0, &body, token)
			      : await_token(bus, 1, &body, token) && send_token(bus, 0, token);
	buf_fini(&body);
	return is_good;
}

static void
test_no_wake_up_by_mail_is_lost(void **state)
{
	struct bus *bus = *state;
	pid_t pid = support_fork();

	if (pid == 0)
		_exit(play_mail(bus, 1) ? EXIT_SUCCESS : EXIT_FAILURE);
	assert_true(play_mail(bus, 0));
	assert_int_equal(support_reap(pid), EXIT_SUCCESS);
}

/* The sleeper is asked to close its connection again and again. */
static bool
serve_closes(struct bus *bus, uint32_t id, _Atomic unsigned *served)
{
	char reason[DIRECTORY_REASON_MAX + 1];

	while (*served < MAIL_ROUNDS) {
		directory_close_requests(bus->directory, 1);
		if (directory_take_close(bus->directory, id, reason))
			++*served;
		else if (bell_arm(bus->segment, 1, 0) && !sleep_until_rung(bus, 1))
			return false;
	}
	return true;
}

static void
test_no_wake_up_by_a_close_is_lost(void **state)
{
	struct bus *bus = *state;
	_Atomic unsigned *served = support_share(sizeof(*served));
	uint32_t id;
	unsigned slot;
	pid_t pid;

	assert_int_equal(directory_claim(bus->directory, 1, &id), 0);
	pid = support_fork();
	if (pid == 0)
		_exit(serve_closes(bus, id, served) ? EXIT_SUCCESS : EXIT_FAILURE);
	for (unsigned i = 0; i < MAIL_ROUNDS; i++) {
		uint64_t deadline = support_deadline(SUPPORT_PATIENCE_MS);

		assert_int_equal(directory_request_close(bus->directory, id, SPAN("r"), &slot), 0);
		bell_ring(bus->segment, slot);
		while (*served <= i)
			assert_true(support_wait(deadline));
	}
	assert_int_equal(support_reap(pid), EXIT_SUCCESS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		bus_test(test_only_sleepers_are_rung),
		bus_test(test_work_keeps_awake),
		bus_test(test_slots_that_are_none),
		bus_test(test_wild_bits),
		cmocka_unit_test(test_wake_that_is_none),
		bus_test(test_death_between_bit_and_write),
		bus_test(test_dead_sleeper_is_forgotten),
		bus_test(test_no_wake_up_by_an_event_is_lost),
		bus_test(test_no_wake_up_by_mail_is_lost),
		bus_test(test_no_wake_up_by_a_close_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
