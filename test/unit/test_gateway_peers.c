/*
 * Gathers between workers that share a segment: whole, late, cancelled, too many, and with others that
 * die or that are not who they were.
 */
#include "support_bus.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "bus/roster.h"
#include "gateway/census.h"
#include "gateway/context.h"
#include "gateway/peers.h"

enum { LATE_MS = 5000, SOON_MS = 200 };

static struct bus bus;
static struct gateway workers[BUS_WORKERS];
static unsigned parts, completes, timeouts, answered;
static struct gather *also_cancel;
static size_t last_room;

static bool
on_part(void *owner, struct span part)
{
	assert_ptr_equal(owner, &parts);
	parts += span_is(part, "part");
	return span_is(part, "part");
}

static void
on_done(void *owner, enum gather_verdict verdict)
{
	assert_ptr_equal(owner, &parts);
	if (verdict == GATHER_COMPLETE)
		completes++;
	else
		timeouts++;
	if (also_cancel != NULL)
		gather_cancel(also_cancel);
	also_cancel = NULL;
}

static void
answer(struct gateway *g, struct span question, size_t room, struct buf *ret)
{
	(void)g;
	answered++;
	last_room = room;
	buf_append_cstr(ret, span_is(question, "wrong") ? "no part" : "part");
}

static void
start_worker(unsigned slot)
{
	struct gateway *g = &workers[slot];

	peers_free(g->peers);
	*g = (struct gateway){ .segment = bus.segment, .slot = slot };
	g->roster = segment_roster(bus.segment);
	g->generation = roster_start(g->roster, slot, 1, 1, clock_mono_ms());
	roster_set_state(g->roster, slot, ROSTER_SERVING);
	g->peers = peers_new(answer);
	assert_non_null(g->peers);
}

static int
set_up(void **state)
{
	(void)state;
	memset(workers, 0, sizeof(workers));
	bus_name(&bus);
	bus_open(&bus, SEGMENT_CREATED);
	assert_int_equal(segment_unlink(bus.name), 0);
	log_configure(
	    &(struct log_setup){ .level = LOG_LEVEL_ERROR, .file_fd = -1, .stderr_fd = -1 });
	for (unsigned i = 0; i < BUS_WORKERS; i++)
		start_worker(i);
	parts = completes = timeouts = answered = 0;
	also_cancel = NULL;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BUS_WORKERS; i++)
		peers_free(workers[i].peers);
	segment_close(bus.segment);
	return 0;
}

static struct gather *
start(const char *question)
{
	struct gather *gather = NULL;

	assert_int_equal(
	    gather_start(&workers[0], span_cstr(question), on_part, on_done, &parts, &gather), 0);
	return gather;
}

static void
settle(uint64_t in_ms)
{
	peers_settle(&workers[0], clock_mono_ms() + in_ms);
}

static void
receive(unsigned slot)
{
	while (!mailbox_is_empty(segment_mailbox(bus.segment, slot)))
		peers_receive(&workers[slot]);
}

static void
test_all_answer(void **state)
{
	(void)state;
	start("q");
	assert_false(peers_has_settled(&workers[0]));
	receive(1);
	receive(2);
	assert_int_equal(last_room, mailbox_body_max(segment_mailbox(bus.segment, 0)));
	receive(0);
	assert_int_equal(parts, 2);
	assert_true(peers_has_settled(&workers[0]));
	settle(0);
	assert_int_equal(completes, 1);
	assert_false(peers_has_settled(&workers[0]));
	settle(LATE_MS);
	assert_int_equal(completes + timeouts, 1);
}

static void
test_one_does_not_answer_or_wrongly(void **state)
{
	(void)state;
	start("q");
	receive(1);
	receive(0);
	settle(0);
	assert_int_equal(completes + timeouts, 0);
	settle(LATE_MS);
	assert_int_equal(timeouts, 1);
	start("wrong");
	receive(1);
	receive(2);
	receive(0);
	settle(LATE_MS);
	assert_int_equal(timeouts, 2);
}

static void
test_the_dead_owe_nothing(void **state)
{
	(void)state;
	start("q");
	receive(1);
	receive(0);
	roster_end(workers[2].roster, 2, true);
	settle(0);
	assert_int_equal(completes, 0); /* not looked yet */
	settle(SOON_MS);
	assert_int_equal(completes, 1);
	assert_int_equal(parts, 1);
	start("q");
	receive(1);
	receive(0);
	settle(0);
	assert_int_equal(completes, 2);
}

static void
test_a_successor_owes_nothing_and_is_owed_nothing(void **state)
{
	(void)state;
	start("q");
	start_worker(0); /* dies, and comes again */
	receive(1);
	assert_int_equal(answered, 0);
	start("q");
	receive(1);
	receive(2);
	receive(0);
	assert_int_equal(answered, 2);
	assert_int_equal(parts, 2);
	start("q");
	receive(1);
	receive(2);
	start_worker(0);
	start("q");
	receive(0);
	assert_int_equal(parts, 2);
	receive(1);
	receive(2);
	receive(0);
	assert_int_equal(parts, 4);
}

static void
test_no_more_than_the_limit_even_when_cancelled(void **state)
{
	struct gather *gather = NULL;

	(void)state;
	for (unsigned i = 0; i < GATHERS_MAX; i++)
		gather_cancel(start("q"));
	assert_int_equal(
	    gather_start(&workers[0], SPAN("q"), on_part, on_done, &parts, &gather), -EBUSY);
	assert_null(gather);
	receive(1);
	receive(2);
	receive(0);
	settle(0);
	assert_int_equal(parts + completes + timeouts, 0);
	for (unsigned i = 0; i < GATHERS_MAX; i++)
		start("q");
	settle(LATE_MS);
	assert_int_equal(timeouts, GATHERS_MAX);
	for (unsigned i = 0; i < GATHERS_MAX; i++)
		start("q");
}

static void
test_a_callback_may_cancel_others(void **state)
{
	struct gather *others[3];

	(void)state;
	start("q");
	for (unsigned i = 0; i < 3; i++)
		others[i] = start("q");
	also_cancel = others[0];
	settle(LATE_MS);
	assert_int_equal(timeouts, 3);
	start("q");
	others[1] = start("q");
	receive(1);
	receive(2);
	receive(0);
	also_cancel = others[1];
	settle(0);
	assert_int_equal(completes, 1);
}

static void
test_a_full_mailbox(void **state)
{
	char body[16384] = { 0 };
	struct mail mail = { .kind = 99, .body = { body, sizeof(body) - 64 } };

	(void)state;
	while (mailbox_send(segment_mailbox(bus.segment, 1), &mail) == 0)
		;
	mail.body.n = 0;
	while (mailbox_send(segment_mailbox(bus.segment, 1), &mail) == 0)
		;
	start("q");
	receive(2);
	receive(0);
	settle(SOON_MS);
	assert_int_equal(completes, 0);
	settle(LATE_MS);
	assert_int_equal(timeouts, 1);
}

#define peers_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		peers_test(test_all_answer),
		peers_test(test_one_does_not_answer_or_wrongly),
		peers_test(test_the_dead_owe_nothing),
		peers_test(test_a_successor_owes_nothing_and_is_owed_nothing),
		peers_test(test_no_more_than_the_limit_even_when_cancelled),
		peers_test(test_a_callback_may_cancel_others),
		peers_test(test_a_full_mailbox),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
