/*
 * The ledger and the log lines: what was written is read as it was, in its order, until others come after it; what
 * a killed writer left, what a sleeping one mixed up, and what somebody spoilt, is passed over.
 */
#include "support_bus.h"

#include <signal.h>

#include "bus/cells.h"
#include "bus/layout.h"
#include "bus/ledger.h"
#include "bus/loglines.h"
#include "bus/obituary.h"
#include "support_children.h"

enum { WRITERS = 4, KILLS = 60, SPOILT = 200 };

static const struct ledger *
ledger(void **state)
{
	const struct bus *bus = *state;

	return segment_ledger(bus->segment);
}

static const struct loglines *
loglines(void **state)
{
	const struct bus *bus = *state;

	return segment_loglines(bus->segment);
}

/* A line all of whose fields follow from a number. */
static struct ledger_line
line_of(uint32_t n)
{
	struct ledger_line line = {
		.conn_id = n,
		.slot = (uint16_t)(n * 3),
		.code = (uint16_t)(n * 5),
		.cause = (uint8_t)(n % LEDGER_CAUSES),
		.family = (uint8_t)(n * 7),
		.port = (uint16_t)(n * 11),
		.messages = n * 13,
		.lag = n * 17,
		.connected_ms = n * UINT64_C(1000000007),
		.closed_ms = n * UINT64_C(1000000009),
		.bytes_in = n * UINT64_C(1000000021),
		.bytes_out = n * UINT64_C(1000000033),
	};
	char text[64];

	memset(line.address, (int)(n & 0xff), sizeof(line.address));
	snprintf(text, sizeof(text), "client-%u", n);
	ledger_set_text(line.client_id, sizeof(line.client_id), span_cstr(text));
	snprintf(text, sizeof(text), "Number %u", n);
	ledger_set_text(line.display_name, sizeof(line.display_name), span_cstr(text));
	snprintf(text, sizeof(text), "It was the %uth of them", n);
	ledger_set_text(line.reason, sizeof(line.reason), span_cstr(text));
	return line;
}

static bool
is_as_written(const struct ledger_line *line)
{
	struct ledger_line wanted = line_of(line->conn_id);

	return line->slot == wanted.slot && line->code == wanted.code &&
	       line->cause == wanted.cause && line->family == wanted.family &&
	       line->port == wanted.port && line->messages == wanted.messages &&
	       line->lag == wanted.lag && line->connected_ms == wanted.connected_ms &&
	       line->closed_ms == wanted.closed_ms && line->bytes_in == wanted.bytes_in &&
	       line->bytes_out == wanted.bytes_out &&
	       memcmp(line->address, wanted.address, sizeof(line->address)) == 0 &&
	       strcmp(line->client_id, wanted.client_id) == 0 &&
	       strcmp(line->display_name, wanted.display_name) == 0 &&
	       strcmp(line->reason, wanted.reason) == 0;
}

static void
write_line(void **state, uint32_t n)
{
	struct ledger_line line = line_of(n);

	ledger_write(ledger(state), &line);
}

static void
an_empty_ledger(void **state)
{
	struct ledger_line line;

	assert_int_equal(ledger_last(ledger(state)), 0);
	assert_false(ledger_read(ledger(state), 0, &line));
	assert_false(ledger_read(ledger(state), 1, &line));
	assert_false(ledger_find(ledger(state), 1, &line));
}

static void
the_last_lines_are_kept(void **state)
{
	struct ledger_line line;

	for (uint32_t n = 1; n <= LEDGER_LINES + 50; n++)
		write_line(state, n);
	assert_int_equal(ledger_last(ledger(state)), LEDGER_LINES + 50);
	assert_int_equal(ledger_oldest(ledger(state)), 51);
	assert_false(ledger_read(ledger(state), 50, &line));
	for (uint64_t n = 51; n <= LEDGER_LINES + 50; n++) {
		assert_true(ledger_read(ledger(state), n, &line));
		assert_int_equal(line.conn_id, n);
		assert_true(is_as_written(&line));
	}
	assert_false(ledger_find(ledger(state), 50, &line));
	assert_true(ledger_find(ledger(state), 51, &line));
}

static void
the_last_line_about_a_connection_counts(void **state)
{
	struct ledger_line line = { .conn_id = 7, .cause = LEDGER_CLIENT };

	ledger_write(ledger(state), &line);
	line.cause = LEDGER_ADMIN;
	ledger_write(ledger(state), &line);
	write_line(state, 8);
	assert_true(ledger_find(ledger(state), 7, &line));
	assert_int_equal(line.cause, LEDGER_ADMIN);
}

/* The texts share their room: none runs into another, and none is cut within a character. */
static void
texts_are_cut(void **state)
{
	struct ledger_line line = { .conn_id = 1 };
	char text[300];

	memset(text, 'x', sizeof(text));
	ledger_set_text(line.client_id, sizeof(line.client_id), span_make(text, sizeof(text)));
	assert_int_equal(strlen(line.client_id), LEDGER_CLIENT_CAP - 1);
	for (size_t i = 0; i < sizeof(text); i += 3)
		memcpy(text + i, "\xe2\x82\xac", 3);
	ledger_set_text(line.display_name, sizeof(line.display_name), span_make(text, 300));
	assert_int_equal(strlen(line.display_name), (LEDGER_DISPLAY_CAP - 1) / 3 * 3);
	ledger_set_text(line.reason, sizeof(line.reason), span_make(text, 300));
	ledger_write(ledger(state), &line);
	assert_true(ledger_read(ledger(state), 1, &line));
	assert_int_equal(strlen(line.client_id), LEDGER_CLIENT_CAP - 1);
	assert_int_equal(strlen(line.display_name) % 3, 0);
	assert_true(strlen(line.reason) > 0 && strlen(line.reason) % 3 == 0);
	ledger_set_text(line.reason, sizeof(line.reason), span_make("a\0b", 3));
	assert_string_equal(line.reason, "a");
}

static void
a_cause_that_there_is_not(void **state)
{
	struct ledger_line line = { .conn_id = 1, .cause = LEDGER_CAUSES };

	ledger_write(ledger(state), &line);
	assert_true(ledger_read(ledger(state), 1, &line));
	assert_int_equal(line.cause, LEDGER_UNKNOWN);
}

/* Writes until it is killed. */
static _Noreturn void
write_for_ever(void **state, uint32_t seed)
{
	for (uint32_t n = seed;; n += WRITERS) {
		char text[600];

		write_line(state, n);
		memset(text, (int)('a' + n % 26), sizeof(text));
		loglines_add(loglines(state), LOG_LEVEL_INFO, span_make(text, n % 600));
	}
}

/* Every line that can be read is whole. Returns how many there are. */
static unsigned
check_lines(void **state)
{
	uint64_t last = ledger_last(ledger(state)), number = ledger_oldest(ledger(state));
	unsigned count = 0;

	for (; number <= last; number++) {
		struct ledger_line line;

		if (!ledger_read(ledger(state), number, &line))
			continue;
		assert_true(is_as_written(&line));
		count++;
	}
	return count;
}

static unsigned
check_log(void **state)
{
	uint64_t cursor = loglines_oldest(loglines(state)), end = loglines_end(loglines(state));
	struct logline line;
	unsigned count = 0;

	for (; loglines_next(loglines(state), &cursor, end, &line); count++)
		for (size_t i = 1; i < line.len; i++)
			assert_int_equal(line.text[i], line.text[0]);
	return count;
}

/* While four processes write, and are killed and replaced, a reader finds nothing that is torn. */
static void
writers_are_killed(void **state)
{
	uint64_t seed = 1;
	pid_t writers[WRITERS];

	for (unsigned i = 0; i < WRITERS; i++)
		if ((writers[i] = support_fork()) == 0)
			write_for_ever(state, i + 1);
	for (unsigned kill_number = 0; kill_number < KILLS; kill_number++) {
		unsigned victim = (unsigned)(support_random(&seed) % WRITERS);
		uint64_t before = ledger_last(ledger(state));

		while (ledger_last(ledger(state)) < before + 100)
			(void)check_log(state);
		support_kill(writers[victim]);
		(void)check_lines(state);
		if ((writers[victim] = support_fork()) == 0)
			write_for_ever(state, victim + 1);
	}
	for (unsigned i = 0; i < WRITERS; i++)
		support_kill(writers[i]);
	/* Each death can cost the line that was being written, and what it overwrote. */
	assert_true(check_lines(state) >= LEDGER_LINES - KILLS - WRITERS ||
		    ledger_last(ledger(state)) < LEDGER_LINES);
	assert_true(check_log(state) > 0);
}

/* A writer that slept for a round does not write over those who came after it. */
static void
one_that_slept_writes_nothing(void **state)
{
	const struct bus *bus = *state;
	uint64_t *memory = aligned_alloc(CELLS_HEADER_BYTES, (size_t)cells_bytes(4, 8));
	struct cells cells = { (void *)memory, 4, 8 };
	uint64_t record[6] = { 1 }, read[6], slow;

	assert_non_null(bus);
	assert_non_null(memory);
	cells_format(&cells);
	slow = cells_take(&cells, 1);
	for (unsigned i = 0; i < 4; i++) {
		record[0] = 10 + i;
		cells_put(&cells, cells_take(&cells, 1), record);
	}
	record[0] = 99;
	cells_put(&cells, slow, record);
	assert_false(cells_get(&cells, slow, read));
	assert_true(cells_get(&cells, 5, read));
	assert_int_equal(read[0], 13);
	/* And where it had begun before it slept, the check finds what it did. */
	memory[CELLS_HEADER_BYTES / sizeof(*memory) + 2] ^= 1;
	assert_false(cells_get(&cells, 5, read));
	free(memory);
}

/* Whatever stands in the memory, reading ends and stays inside. */
static void
memory_that_somebody_spoilt(void **state)
{
	const size_t sizes[] = { ledger_bytes(), loglines_bytes() };
	uint64_t seed = 7;

	for (unsigned i = 0; i < 4; i++)
		write_line(state, i + 1);
	for (unsigned round = 0; round < 2; round++) {
		uint64_t *memory = aligned_alloc(64, (sizes[round] + 63) / 64 * 64);
		void *view = round == 0 ? (void *)ledger_new(memory) : (void *)loglines_new(memory);
		struct ledger_line line;
		struct logline text;
		uint64_t cursor = 0;

		for (size_t i = 0; i < sizes[round] / 8; i++)
			memory[i] = support_random(&seed);
		if (round == 0) {
			assert_false(ledger_find(view, 1, &line));
			memory[0] = UINT64_MAX;
			assert_false(ledger_find(view, 1, &line));
			ledger_free(view);
		} else {
			memory[0] %= SPOILT;
			assert_false(loglines_next(view, &cursor, loglines_end(view), &text));
			memory[0] = UINT64_MAX - SPOILT;
			cursor = 0;
			assert_false(loglines_next(view, &cursor, loglines_end(view), &text));
			loglines_free(view);
		}
		free(memory);
	}
}

static void
a_dead_workers_connections(void **state)
{
	struct bus *bus = *state;
	uint32_t ids[3], other;
	struct ledger_line line;

	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(directory_claim(bus->directory, 1, &ids[i]), 0);
	assert_int_equal(directory_claim(bus->directory, 2, &other), 0);
	directory_release(bus->directory, ids[1]);
	assert_int_equal(obituary_write(ledger(state), bus->directory, 1, LEDGER_WORKER_DIED,
			     "worker 1 (pid 5) was killed by signal 9 (Killed)"),
	    2);
	assert_true(ledger_find(ledger(state), ids[0], &line));
	assert_int_equal(line.cause, LEDGER_WORKER_DIED);
	assert_int_equal(line.slot, 1);
	assert_int_equal(line.connected_ms, 0);
	assert_true(line.closed_ms > 0);
	assert_string_equal(line.reason, "worker 1 (pid 5) was killed by signal 9 (Killed)");
	assert_false(ledger_find(ledger(state), ids[1], &line));
	assert_true(ledger_find(ledger(state), ids[2], &line));
	assert_false(ledger_find(ledger(state), other, &line));
}

/* Whoever was connected when all died is told by the gateway that finds the segment. */
static void
an_adopted_ledger_goes_on(void **state)
{
	struct bus bus;
	struct ledger_line line;
	struct logline text;
	uint64_t cursor = 0;
	uint32_t id;

	(void)state;
	bus_name(&bus);
	snprintf(bus.name, sizeof(bus.name), "/lurkbot-test-%d-l", (int)getpid());
	bus_open(&bus, SEGMENT_CREATED);
	line = line_of(3);
	ledger_write(segment_ledger(bus.segment), &line);
	loglines_add(segment_loglines(bus.segment), LOG_LEVEL_ERROR, SPAN("the last words"));
	assert_int_equal(directory_claim(bus.directory, 0, &id), 0);
	segment_close(bus.segment);
	bus_open(&bus, SEGMENT_ADOPTED);
	assert_int_equal(segment_unlink(bus.name), 0);
	assert_true(ledger_find(segment_ledger(bus.segment), 3, &line));
	assert_true(is_as_written(&line));
	assert_true(ledger_find(segment_ledger(bus.segment), id, &line));
	assert_int_equal(line.cause, LEDGER_GATEWAY_DIED);
	assert_int_equal(directory_count(bus.directory, 0), 0);
	assert_true(loglines_next(segment_loglines(bus.segment), &cursor,
	    loglines_end(segment_loglines(bus.segment)), &text));
	assert_int_equal(text.len, strlen("the last words"));
	segment_close(bus.segment);
}

static void
expect_line(const struct loglines *lines, uint64_t *cursor, enum log_level level, size_t len)
{
	struct logline line;

	assert_true(loglines_next(lines, cursor, loglines_end(lines), &line));
	assert_int_equal(line.level, level);
	assert_int_equal(line.len, len);
}

static void
log_lines_of_all_lengths(void **state)
{
	const struct loglines *lines = loglines(state);
	char text[LOG_LINE_MAX + 100];
	uint64_t cursor = 0;
	struct logline line;

	memset(text, 'x', sizeof(text));
	loglines_add(lines, LOG_LEVEL_DEBUG, SPAN(""));
	loglines_add(lines, LOG_LEVEL_INFO, span_make(text, 104));
	loglines_add(lines, LOG_LEVEL_WARNING, span_make(text, 105));
	loglines_add(lines, LOG_LEVEL_ERROR, span_make(text, sizeof(text)));
	expect_line(lines, &cursor, LOG_LEVEL_DEBUG, 0);
	expect_line(lines, &cursor, LOG_LEVEL_INFO, 104);
	expect_line(lines, &cursor, LOG_LEVEL_WARNING, 105);
	expect_line(lines, &cursor, LOG_LEVEL_ERROR, LOG_LINE_MAX);
	assert_false(loglines_next(lines, &cursor, loglines_end(lines), &line));
	loglines_add(lines, LOG_LEVEL_INFO, SPAN("more"));
	expect_line(lines, &cursor, LOG_LEVEL_INFO, 4);
}

/* The oldest lines go, whole: what is left of one in the middle of which the ring begins is not told. */
static void
the_last_log_lines_are_kept(void **state)
{
	const struct loglines *lines = loglines(state);
	uint64_t cursor = 0;
	struct logline line;
	unsigned count = 0, number = 0;
	char text[300];

	for (unsigned i = 0; i < 3000; i++) {
		memset(text, ' ', sizeof(text));
		snprintf(text, sizeof(text), "%06u", i);
		loglines_add(lines, LOG_LEVEL_INFO, span_make(text, sizeof(text)));
	}
	while (loglines_next(lines, &cursor, loglines_end(lines), &line)) {
		unsigned n = (unsigned)strtoul(line.text, NULL, 10);

		assert_true(count == 0 || n == number + 1);
		number = n;
		count++;
	}
	assert_int_equal(number, 2999);
	assert_true(count >= 600 && count * sizeof(text) <= LOGLINES_BYTES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, bus_setup, bus_teardown)
		TEST(an_empty_ledger),
		TEST(the_last_lines_are_kept),
		TEST(the_last_line_about_a_connection_counts),
		TEST(texts_are_cut),
		TEST(a_cause_that_there_is_not),
		TEST(writers_are_killed),
		TEST(one_that_slept_writes_nothing),
		TEST(memory_that_somebody_spoilt),
		TEST(a_dead_workers_connections),
		cmocka_unit_test(an_adopted_ledger_goes_on),
		TEST(log_lines_of_all_lengths),
		TEST(the_last_log_lines_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
