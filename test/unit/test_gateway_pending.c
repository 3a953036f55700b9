/*
 * Requests that wait: answered once, by whoever comes first, and never after their connection.
 */
#include "support_cmocka.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bus/counters.h"
#include "conf/conf.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/pending.h"
#include "support_alloc.h"

enum { EACH = 4, LATER_MS = 1000 };

static struct conf conf;
static struct gateway g;
static struct connection clients[2];
static unsigned gone;

/* As a real handler does it. */
static void
on_closing(struct connection *c)
{
	pending_abandon_all(c);
}

static const struct connection_handler handler = { .on_closing = on_closing };

static void
on_gone(struct pending *pending)
{
	assert_ptr_equal(pending->owner, &gone);
	assert_true(list_is_empty(&pending->of_gateway));
	gone++;
}

/* Nobody writes down here how connections ended. */
static void
on_parting(
    struct connection *connection, enum ledger_cause cause, uint16_t code, const char *reason)
{
	(void)connection;
	(void)cause;
	(void)code;
	(void)reason;
}

static int
set_up(void **state)
{
	static const uint32_t length_ms[DEADLINE_KINDS] = { 1000, 1000, 1000, 1000, 1000, 1000 };

	(void)state;
	conf.gateway.max_buffered_bytes = 1 << 20;
	g = (struct gateway){ .conf = &conf };
	g.on_parting = on_parting;
	g.counters = aligned_alloc(64, sizeof(struct counters));
	memset(g.counters, 0, sizeof(struct counters));
	g.deadlines = deadlines_new(length_ms, connection_on_deadline);
	list_init(&g.connections);
	list_init(&g.dirty);
	list_init(&g.graveyard);
	list_init(&g.pendings);
	for (unsigned i = 0; i < 2; i++) {
		struct connection *c = &clients[i];

		*c = (struct connection){ .gateway = &g,
			.handler = &handler,
			.answers = &answer_frames,
			.stream = { .fd = -1 },
			.framed = true };
		list_init(&c->dirty);
		list_init(&c->pendings);
		deadline_init(&c->deadline);
		list_append(&g.connections, &c->link);
	}
	gone = 0;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		pending_abandon_all(&clients[i]);
		assert_int_equal(clients[i].pending_count, 0);
		traffic_return(&g, clients[i].traffic);
		clients[i].traffic = NULL;
	}
	traffic_free_spares(&g);
	assert_true(list_is_empty(&g.pendings));
	deadlines_free(g.deadlines);
	buf_fini(&g.reply);
	free(g.counters);
	return 0;
}

static struct pending *
ask(unsigned client, const char *id, uint32_t timeout_ms)
{
	const struct answer to = { .connection = &clients[client], .id = span_cstr(id) };
	struct pending *pending = pending_new(&to, timeout_ms, on_gone, &gone);

	assert_non_null(pending);
	return pending;
}

/* How often these bytes stand in what the client is to be sent. */
static unsigned
told(unsigned client, const char *what)
{
	struct traffic *traffic = clients[client].traffic;
	struct span text = traffic != NULL ? buf_span(&traffic->out) : SPAN("");
	unsigned count = 0;
	const char *at;

	while (text.n > 0 && (at = memmem(text.p, text.n, what, strlen(what))) != NULL) {
		text = span_skip(text, (size_t)(at - text.p) + strlen(what));
		count++;
	}
	return count;
}

static void
test_those_whose_time_is_up_are_told(void **state)
{
	uint64_t now_ms = clock_mono_ms();

	(void)state;
	ask(0, "early", LATER_MS);
	ask(0, "late", 100 * LATER_MS);
	ask(1, "other", LATER_MS);
	pendings_expire(&g, now_ms);
	assert_int_equal(gone, 0);
	pendings_expire(&g, now_ms + 10 * LATER_MS);
	assert_int_equal(gone, 2);
	assert_int_equal(told(0, "AGENT_TIMEOUT"), 1);
	assert_int_equal(told(0, "\"early\""), 1);
	assert_int_equal(told(1, "\"other\""), 1);
	assert_non_null(pending_find(&clients[0], SPAN("late")));
	assert_null(pending_find(&clients[0], SPAN("early")));
	pendings_expire(&g, now_ms + 10 * LATER_MS);
	assert_int_equal(gone, 2);
}

/* Both clients' requests are up at once; the first answer ends its client, and with it the others of it. */
static void
test_a_connection_that_ends_inside_an_answer(void **state)
{
	static const char *const ids[EACH] = { "a", "b", "c", "d" };

	(void)state;
	for (unsigned i = 0; i < EACH; i++) {
		ask(0, ids[i], LATER_MS);
		ask(1, ids[i], LATER_MS);
	}
	support_alloc_fail_at(1);
	pendings_expire(&g, clock_mono_ms() + 10 * LATER_MS);
	support_alloc_fail_at(0);
	assert_int_not_equal(clients[0].state, CONNECTION_OPEN);
	assert_int_equal(clients[1].state, CONNECTION_OPEN);
	assert_int_equal(gone, 2 * EACH);
	assert_int_equal(told(0, "AGENT_TIMEOUT"), 0);
	assert_int_equal(told(1, "AGENT_TIMEOUT"), EACH);
}

static void
test_a_cancelled_request_is_answered_once(void **state)
{
	(void)state;
	ask(0, "one", LATER_MS);
	pending_cancel(pending_find(&clients[0], SPAN("one")));
	assert_int_equal(gone, 1);
	assert_int_equal(told(0, "\"cancelled\""), 1);
	pendings_expire(&g, clock_mono_ms() + 10 * LATER_MS);
	assert_int_equal(gone, 1);
	assert_int_equal(told(0, "AGENT_TIMEOUT"), 0);
}

static void
test_who_answers_takes_it_off_first(void **state)
{
	struct pending *pending = ask(0, "one", LATER_MS);

	(void)state;
	pending_detach(pending);
	assert_null(pending_find(&clients[0], SPAN("one")));
	pendings_expire(&g, clock_mono_ms() + 10 * LATER_MS);
	assert_int_equal(gone, 0);
	answer_result(&pending->answer, SPAN("{}"));
	assert_int_equal(told(0, "\"one\""), 1);
	pending_free(pending);
}

static void
test_without_memory_nothing_waits(void **state)
{
	const struct answer to = { .connection = &clients[0], .id = SPAN("one") };

	(void)state;
	support_alloc_fail_at(1);
	assert_null(pending_new(&to, LATER_MS, on_gone, &gone));
	support_alloc_fail_at(0);
	assert_int_equal(clients[0].pending_count, 0);
	assert_true(list_is_empty(&g.pendings));
}

#define pending_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		pending_test(test_those_whose_time_is_up_are_told),
		pending_test(test_a_connection_that_ends_inside_an_answer),
		pending_test(test_a_cancelled_request_is_answered_once),
		pending_test(test_who_answers_takes_it_off_first),
		pending_test(test_without_memory_nothing_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
