/*
 * Sends by io_uring: whole ones say nothing, all others say how much was taken, and the bytes at the
 * other end are those, in order. Skipped where the kernel does not grant a ring.
 */
#include "support_cmocka.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support_alloc.h"
#include "sys/process.h"
#include "sys/uring.h"

enum { SENDS = 8, FILES = 64, PAIRS = 4, RUN = 256 * 1024 };

struct stage {
	struct uring *uring;
	int fds[PAIRS][2]; /* [0] sends, [1] receives */
};

static char run_bytes[RUN];

static int
set_up(void **state)
{
	static struct stage stage;
	const int small = 4096;

	for (size_t i = 0; i < sizeof(run_bytes); i++)
		run_bytes[i] = (char)(i * 31 % 251);
	memset(&stage, 0, sizeof(stage));
	for (size_t i = 0; i < PAIRS; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, stage.fds[i]) < 0 ||
		    setsockopt(stage.fds[i][0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)) < 0)
			return -1;
	}
	*state = &stage;
	return 0;
}

static int
tear_down(void **state)
{
	struct stage *stage = *state;

	uring_close(stage->uring);
	for (size_t i = 0; i < PAIRS; i++) {
		(void)close(stage->fds[i][0]);
		(void)close(stage->fds[i][1]);
	}
	return 0;
}

static void
open_or_skip(struct stage *stage)
{
	if (uring_open(SENDS, FILES, &stage->uring) < 0)
		skip();
	for (size_t i = 0; i < PAIRS; i++)
		assert_int_equal(uring_know(stage->uring, stage->fds[i][0]), 0);
}

static void
add(struct stage *stage, size_t i, size_t at, size_t len)
{
	uring_add(stage->uring, stage->fds[i][0], span_make(run_bytes + at, len), &stage->fds[i]);
}

/* Reads what is there, which continues the run at `at`; returns how much it was. */
static size_t
receive(const struct stage *stage, size_t i, size_t at)
{
	static char bytes[RUN];
	size_t got = 0;
	ssize_t n;

	while ((n = recv(stage->fds[i][1], bytes + got, sizeof(bytes) - got, 0)) > 0)
		got += (size_t)n;
	assert_memory_equal(bytes, run_bytes + at, got);
	return got;
}

static void
test_whole_sends_say_nothing(void **state)
{
	struct stage *stage = *state;
	void *owner;
	int sent;

	open_or_skip(stage);
	assert_int_equal(uring_submit(stage->uring), 0);
	for (size_t round = 0; round < 3; round++) {
		for (size_t i = 0; i < PAIRS; i++)
			add(stage, i, i, 100 + i);
		assert_int_equal(uring_room(stage->uring), SENDS - PAIRS);
		assert_int_equal(uring_submit(stage->uring), PAIRS);
		assert_int_equal(uring_room(stage->uring), SENDS);
		assert_false(uring_next(stage->uring, &owner, &sent));
		for (size_t i = 0; i < PAIRS; i++)
			assert_int_equal(receive(stage, i, i), 100 + i);
	}
}

/* Sends what is left of each run; returns how many sends took a part. */
static size_t
send_rests(struct stage *stage, size_t at[PAIRS])
{
	size_t before[PAIRS], added = 0, parts = 0;
	void *owner;
	int sent;

	memcpy(before, at, sizeof(before));
	for (size_t i = 0; i < PAIRS; i++) {
		if (at[i] == RUN)
			continue;
		add(stage, i, at[i], RUN - at[i]);
		added++;
		/* Where nothing else is said, it got all. */
		at[i] = RUN;
	}
	assert_int_equal(uring_submit(stage->uring), added);
	while (uring_next(stage->uring, &owner, &sent)) {
		size_t i = (size_t)((int(*)[2])owner - stage->fds);

		assert_true(sent == -EAGAIN || sent > 0);
		at[i] = before[i] + (sent > 0 ? (size_t)sent : 0);
		parts += sent > 0;
	}
	return parts;
}

/* The stream goes on where the kernel says that it stopped, whenever and wherever that is. */
static void
test_partial_sends_say_how_much(void **state)
{
	struct stage *stage = *state;
	size_t at[PAIRS] = { 0 }, got[PAIRS] = { 0 }, parts = 0, done = 0;

	open_or_skip(stage);
	srandom(1);
	while (done < PAIRS * (size_t)RUN) {
		parts += send_rests(stage, at);
		for (size_t i = 0; i < PAIRS; i++) {
			size_t more = random() % 3 == 0 ? receive(stage, i, got[i]) : 0;

			got[i] += more;
			done += more;
		}
	}
	for (size_t i = 0; i < PAIRS; i++)
		assert_true(at[i] == RUN && got[i] == RUN);
	assert_true(parts > PAIRS);
}

static void
test_failed_sends_say_why(void **state)
{
	struct stage *stage = *state;
	void *owner;
	int sent;

	open_or_skip(stage);
	(void)close(stage->fds[1][1]);
	uring_forget(stage->uring, stage->fds[2][0]);
	for (size_t i = 0; i < PAIRS; i++)
		add(stage, i, 0, 10);
	assert_int_equal(uring_submit(stage->uring), PAIRS);
	assert_true(uring_next(stage->uring, &owner, &sent));
	assert_ptr_equal(owner, &stage->fds[1]);
	assert_int_equal(sent, -EPIPE);
	assert_true(uring_next(stage->uring, &owner, &sent));
	assert_ptr_equal(owner, &stage->fds[2]);
	assert_int_equal(sent, -EBADF);
	assert_false(uring_next(stage->uring, &owner, &sent));
	assert_int_equal(receive(stage, 3, 0), 10);
	/* The test's own: closed once more by tear_down otherwise. */
	stage->fds[1][1] = -1;
}

static void
test_numbers_beyond_are_refused(void **state)
{
	struct stage *stage = *state;

	open_or_skip(stage);
	assert_int_equal(uring_know(stage->uring, FILES), -EBADF);
	assert_int_equal(uring_know(stage->uring, -1), -EBADF);
	uring_forget(stage->uring, FILES);
}

static void
test_a_ring_leaves_nothing_behind(void **state)
{
	uint64_t before, after;

	assert_int_equal(process_open_fds(getpid(), &before), 0);
	open_or_skip(*state);
	uring_close(((struct stage *)*state)->uring);
	((struct stage *)*state)->uring = NULL;
	support_alloc_fail_at(1);
	assert_int_equal(uring_open(SENDS, FILES, &((struct stage *)*state)->uring), -ENOMEM);
	support_alloc_fail_at(0);
	assert_int_equal(process_open_fds(getpid(), &after), 0);
	assert_int_equal(before, after);
}

#define stage_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(test_whole_sends_say_nothing),
		stage_test(test_partial_sends_say_how_much),
		stage_test(test_failed_sends_say_why),
		stage_test(test_numbers_beyond_are_refused),
		stage_test(test_a_ring_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
