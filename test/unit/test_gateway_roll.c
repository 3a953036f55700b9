/*
 * The roll of connections: parts as workers write them, merged into pages that show every connection
 * once, whatever the limits cut off.
 */
#include "support_cmocka.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/roll.h"
#include "proto/hello.h"
#include "support_alloc.h"

enum { WORKERS = 3, CONNECTIONS = 120, ROOM = 1 << 20, PART_ROOM = 256 * 1024 };

/* --- workers with connections --------------------------------------------------------------- */

static struct gateway workers[WORKERS];
static struct connection connections[CONNECTIONS];
static size_t part_room; /* of the asker's mailbox */

static struct hello *
make_hello(const char *id, const char *more)
{
	char text[4096];
	struct envelope_fault fault;
	struct hello *hello = NULL;
	int n = snprintf(text, sizeof(text),
	    "{\"type\":\"hello\",\"minProtocol\":1,\"maxProtocol\":1,\"client\":{\"id\":\"%s\","
	    "\"version\":\"2\",\"platform\":\"p\",\"mode\":\"web\"}%s}",
	    id, more);

	assert_int_equal(hello_parse(span_make(text, (size_t)n), &hello, &fault), 0);
	return hello;
}

/* The ids lie far apart, and in no order within a worker. */
static uint32_t
id_of(unsigned i)
{
	return (i * 37 % CONNECTIONS + 1) * UINT32_C(35000000);
}

static struct connection *
add(unsigned i, struct gateway *worker, struct hello *hello)
{
	struct connection *c = &connections[i];

	*c = (struct connection){ .gateway = worker, .id = id_of(i), .hello = hello };
	c->connected_at_ms = 1706700000000;
	c->peer = (struct socket_peer){ .family = AF_INET, .address = { 127, 0, 0, 1 }, .port = 5 };
	list_append(&worker->connections, &c->link);
	return c;
}

static int
set_up(void **state)
{
	(void)state;
	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i] = (struct gateway){ .slot = i };
		list_init(&workers[i].connections);
	}
	memset(connections, 0, sizeof(connections));
	part_room = PART_ROOM;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CONNECTIONS; i++)
		hello_free(connections[i].hello);
	return 0;
}

static struct span
write_part(struct gateway *worker, uint32_t after, uint32_t limit, struct buf *part)
{
	struct roll_question question = { .after = after, .limit = limit };

	buf_reset(part);
	roll_part_write(
	    worker, span_make((const char *)&question, sizeof(question)), part_room, part);
	assert_int_equal(buf_status(part), 0);
	assert_true(part->len <= part_room);
	return buf_span(part);
}

/* One page over all workers, as JSON; returns the cursor. */
static uint32_t
page(uint32_t after, uint32_t limit, size_t room, struct buf *ret)
{
	struct roll roll = { 0 };
	struct buf part = { 0 };
	struct jsonw w;
	uint32_t next;

	for (unsigned i = 0; i < WORKERS; i++)
		assert_true(roll_add(&roll, write_part(&workers[i], after, limit, &part)));
	buf_reset(ret);
	jsonw_init(&w, ret);
	jsonw_array(&w);
	next = roll_write(&roll, limit, room, &w);
	jsonw_array_end(&w);
	assert_int_equal(buf_status(ret), 0);
	buf_fini(&part);
	roll_fini(&roll);
	return next;
}

/* --- what is told --------------------------------------------------------------------------- */

static void
test_what_is_told_of_a_connection(void **state)
{
	struct buf text = { 0 };
	char should[512];

	(void)state;
	add(0, &workers[2], make_hello("one", ",\"caps\":[\"a\",\"b\"]"));
	assert_int_equal(page(0, 50, ROOM, &text), 0);
	snprintf(should, sizeof(should),
	    "[{\"connId\":\"%08" PRIx32 "\",\"client\":{\"id\":\"one\",\"version\":\"2\","
	    "\"platform\":\"p\",\"mode\":\"web\"},\"caps\":[\"a\",\"b\"],\"worker\":2,"
	    "\"remote\":\"127.0.0.1:5\",\"connectedAt\":1706700000000,\"lag\":0,\"provides\":[]}]",
	    id_of(0));
	assert_true(span_is(buf_span(&text), should));
	buf_fini(&text);
}

static void
test_only_those_that_are_open_and_said_hello(void **state)
{
	struct buf text = { 0 };

	(void)state;
	add(0, &workers[0], NULL);
	add(1, &workers[0], make_hello("one", ""))->state = CONNECTION_CLOSING;
	assert_int_equal(page(0, 50, ROOM, &text), 0);
	assert_span(buf_span(&text), "[]");
	buf_fini(&text);
}

/* --- pages ---------------------------------------------------------------------------------- */

static unsigned
count_and_check_order(struct span text, uint32_t *last)
{
	static const struct span mark = SPAN_INIT("{\"connId\":\"");
	unsigned count = 0;
	const char *at;

	while ((at = memmem(text.p, text.n, mark.p, mark.n)) != NULL) {
		char digits[9] = { 0 };
		uint32_t id = 0;

		text = span_skip(text, (size_t)(at - text.p) + mark.n);
		memcpy(digits, text.p, min_size(text.n, 8));
		assert_int_equal(sscanf(digits, "%8" SCNx32, &id), 1);
		assert_true(id > *last);
		*last = id;
		count++;
	}
	return count;
}

/* Goes from page to page; every connection is told once, in the order of ids. */
static unsigned
walk(uint32_t limit, size_t room)
{
	struct buf text = { 0 };
	uint32_t after = 0, last = 0;
	unsigned total = 0, pages = 0;

	do {
		unsigned count;

		after = page(after, limit, room, &text);
		count = count_and_check_order(buf_span(&text), &last);
		assert_true(count <= limit);
		assert_true(count == 1 || text.len <= room + 1);
		/* Beyond the last one told where those behind it were left out. */
		if (after != 0)
			assert_true(after >= last);
		total += count;
		assert_true(++pages <= CONNECTIONS + 1);
	} while (after != 0);
	buf_fini(&text);
	return total;
}

/* Most of them sit on one worker, so that its parts end before the others'. */
static void
populate(void)
{
	for (unsigned i = 0; i < CONNECTIONS; i++)
		add(i, &workers[i % 7 == 0 ? 1 : i % 11 == 0 ? 2 : 0], make_hello("somebody", ""));
}

static void
test_pages_of_every_size_tell_all(void **state)
{
	(void)state;
	populate();
	assert_int_equal(walk(1, ROOM), CONNECTIONS);
	assert_int_equal(walk(7, ROOM), CONNECTIONS);
	assert_int_equal(walk(50, ROOM), CONNECTIONS);
	assert_int_equal(walk(CONNECTIONS, ROOM), CONNECTIONS);
	assert_int_equal(walk(200, ROOM), CONNECTIONS);
}

/* Where not even one has room, one is told all the same: else the listing would never end. */
static void
test_pages_end_where_the_room_does(void **state)
{
	(void)state;
	populate();
	assert_int_equal(walk(200, 2000), CONNECTIONS);
	assert_int_equal(walk(200, 10), CONNECTIONS);
}

/* Entries of 3 KiB each. */
static void
populate_with_large(void)
{
	char caps[4000];
	size_t n = (size_t)snprintf(caps, sizeof(caps), ",\"caps\":[\"a\"");

	for (unsigned i = 0; i < 25; i++)
		n += (size_t)snprintf(caps + n, sizeof(caps) - n, ",\"%0120u\"", i);
	snprintf(caps + n, sizeof(caps) - n, "]");
	for (unsigned i = 0; i < CONNECTIONS; i++)
		add(i, &workers[i % 20 == 0 ? 1 : 0], make_hello("large", caps));
}

/* A part ends by its bytes, long before the limit. */
static void
test_large_entries(void **state)
{
	(void)state;
	populate_with_large();
	assert_int_equal(walk(200, ROOM), CONNECTIONS);
	part_room = 16384;
	assert_int_equal(walk(200, ROOM), CONNECTIONS);
}

/* What does not fit into a mail even alone is told without its caps. */
static void
test_an_entry_too_large_for_a_part_loses_its_caps(void **state)
{
	struct buf text = { 0 };

	(void)state;
	populate_with_large();
	part_room = 1000;
	assert_int_equal(walk(200, ROOM), CONNECTIONS);
	page(0, 1, ROOM, &text);
	buf_append(&text, "", 1);
	assert_non_null(strstr(text.data, "\"caps\":[]"));
	buf_fini(&text);
}

/* Where not even that fits, the others are told all the same, and the pages go on to their end. */
static void
test_an_entry_too_large_without_caps_is_left_out(void **state)
{
	char name[129];

	(void)state;
	part_room = 280;
	populate();
	assert_int_equal(walk(200, ROOM), CONNECTIONS);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	log_configure(
	    &(struct log_setup){ .level = LOG_LEVEL_ERROR, .file_fd = -1, .stderr_fd = -1 });
	for (unsigned i = 0; i < CONNECTIONS; i += 3) {
		hello_free(connections[i].hello);
		connections[i].hello = make_hello(name, "");
	}
	assert_int_equal(walk(200, ROOM), CONNECTIONS - CONNECTIONS / 3);
	assert_int_equal(walk(3, ROOM), CONNECTIONS - CONNECTIONS / 3);
}

/* --- parts of others are input -------------------------------------------------------------- */

static void
put_entry(struct buf *part, uint32_t id, uint32_t length, const char *json)
{
	uint32_t header[2] = { id, length };

	buf_append(part, header, sizeof(header));
	buf_append_cstr(part, json);
}

static void
assert_refused(struct buf *part)
{
	struct roll roll = { 0 };

	assert_false(roll_add(&roll, buf_span(part)));
	assert_int_equal(roll.parts.len, 0);
	assert_int_equal(roll.marks.len, 0);
	roll_fini(&roll);
	buf_fini(part);
}

static void
test_malformed_parts_are_refused(void **state)
{
	struct buf part = { 0 };

	(void)state;
	assert_refused(&part);
	buf_append(&part, "\0abc", 4);
	assert_refused(&part);
	buf_append(&part, "", 1);
	put_entry(&part, 1, 3, "{}");
	assert_refused(&part);
	buf_append(&part, "", 1);
	put_entry(&part, 1, UINT32_MAX, "{}");
	assert_refused(&part);
	buf_append(&part, "", 1);
	put_entry(&part, 0, 2, "{}");
	assert_refused(&part);
	buf_append(&part, "", 1);
	put_entry(&part, 2, 2, "{}");
	put_entry(&part, 1, 2, "{}");
	assert_refused(&part);
	buf_append(&part, "", 1);
	put_entry(&part, 2, 2, "{}");
	put_entry(&part, 2, 2, "{}");
	assert_refused(&part);
}

static void
test_an_empty_part_is_a_part(void **state)
{
	struct roll roll = { 0 };
	struct buf text = { 0 };
	struct jsonw w;

	(void)state;
	assert_true(roll_add(&roll, SPAN("\0")));
	jsonw_init(&w, &text);
	assert_int_equal(roll_write(&roll, 10, ROOM, &w), 0);
	assert_int_equal(text.len, 0);
	roll_fini(&roll);
	buf_fini(&text);
}

/* Beyond the end of a part that was cut, its worker may have others: the page ends there. */
static void
test_the_page_ends_with_the_shortest_cut_part(void **state)
{
	struct roll roll = { 0 };
	struct buf part = { 0 }, text = { 0 };
	struct jsonw w;

	(void)state;
	buf_append(&part, "\1", 1);
	put_entry(&part, 10, 1, "1");
	put_entry(&part, 20, 1, "2");
	assert_true(roll_add(&roll, buf_span(&part)));
	buf_reset(&part);
	buf_append(&part, "", 1);
	put_entry(&part, 15, 1, "3");
	put_entry(&part, 30, 1, "4");
	assert_true(roll_add(&roll, buf_span(&part)));
	jsonw_init(&w, &text);
	assert_int_equal(roll_write(&roll, 200, ROOM, &w), 20);
	assert_span(buf_span(&text), "1,3,2");
	roll_fini(&roll);
	buf_fini(&part);
	buf_fini(&text);
}

/* A mark must never point at an entry that could not be kept. */
static void
test_without_memory_nothing_is_added(void **state)
{
	struct buf part = { 0 };

	(void)state;
	buf_append(&part, "", 1);
	for (uint32_t id = 1; id <= 40; id++)
		put_entry(&part, id, 10, "0123456789");
	for (unsigned n = 1; n <= 4; n++) {
		struct roll roll = { 0 };

		support_alloc_fail_at(n);
		assert_false(roll_add(&roll, buf_span(&part)));
		support_alloc_fail_at(0);
		assert_int_equal(roll.parts.len, 0);
		assert_int_equal(roll.marks.len, 0);
		roll_fini(&roll);
	}
	buf_fini(&part);
}

/* What stood there before the part that failed stays, and others can still be added. */
static void
test_a_part_that_failed_leaves_the_others(void **state)
{
	struct roll roll = { 0 };
	struct buf part = { 0 }, text = { 0 };
	struct jsonw w;

	(void)state;
	buf_append(&part, "", 1);
	put_entry(&part, 7, 1, "7");
	assert_true(roll_add(&roll, buf_span(&part)));
	part.data[0] = 1;
	for (uint32_t id = 10; id < 200; id++)
		put_entry(&part, id, 1, "x");
	support_alloc_fail_all();
	assert_false(roll_add(&roll, buf_span(&part)));
	support_alloc_fail_at(0);
	part.len = 1;
	part.data[0] = 0;
	put_entry(&part, 5, 1, "5");
	assert_true(roll_add(&roll, buf_span(&part)));
	jsonw_init(&w, &text);
	assert_int_equal(roll_write(&roll, 200, ROOM, &w), 0);
	assert_span(buf_span(&text), "5,7");
	roll_fini(&roll);
	buf_fini(&part);
	buf_fini(&text);
}

static void
test_a_malformed_question_gets_an_empty_part(void **state)
{
	struct buf part = { 0 };

	(void)state;
	add(0, &workers[0], make_hello("one", ""));
	roll_part_write(&workers[0], SPAN("short"), ROOM, &part);
	assert_span(buf_span(&part), "\0");
	buf_fini(&part);
}

#define roll_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		roll_test(test_what_is_told_of_a_connection),
		roll_test(test_only_those_that_are_open_and_said_hello),
		roll_test(test_pages_of_every_size_tell_all),
		roll_test(test_pages_end_where_the_room_does),
		roll_test(test_large_entries),
		roll_test(test_an_entry_too_large_for_a_part_loses_its_caps),
		roll_test(test_an_entry_too_large_without_caps_is_left_out),
		cmocka_unit_test(test_malformed_parts_are_refused),
		cmocka_unit_test(test_an_empty_part_is_a_part),
		cmocka_unit_test(test_the_page_ends_with_the_shortest_cut_part),
		cmocka_unit_test(test_without_memory_nothing_is_added),
		cmocka_unit_test(test_a_part_that_failed_leaves_the_others),
		roll_test(test_a_malformed_question_gets_an_empty_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
