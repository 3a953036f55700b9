/*
 * A line is written into the ledger, which is full, and a log line of three records among the others.
 */
#include <string.h>

#include "bus/ledger.h"
#include "bus/loglines.h"
#include "walk.h"

enum { FIRST_ID = 1, NEW_ID = 50001, LATER_ID = 50002, LOG_LINES = 3, LONG_LINE = 250 };

static const struct ledger *
ledger(const struct world *world)
{
	return segment_ledger(world->segment);
}

static const struct loglines *
log_of(const struct world *world)
{
	return segment_loglines(world->segment);
}

static void
write_line(const struct world *world, uint32_t conn_id)
{
	struct ledger_line line = { .conn_id = conn_id, .cause = LEDGER_ADMIN };

	ledger_set_text(line.reason, sizeof(line.reason), SPAN("It was asked for"));
	ledger_write(ledger(world), &line);
}

static void
prepare(struct world *world)
{
	for (uint32_t i = 0; i < LEDGER_LINES; i++)
		write_line(world, FIRST_ID + i);
}

static void
act_write(struct world *world)
{
	write_line(world, NEW_ID);
}

/* How many of the lines that stood there can be read, and are what they were. */
static unsigned
count_old(const struct world *world)
{
	unsigned count = 0;

	for (uint64_t number = 1; number <= LEDGER_LINES; number++) {
		struct ledger_line line;

		if (ledger_read(ledger(world), number, &line) &&
		    line.conn_id == FIRST_ID + number - 1 && line.cause == LEDGER_ADMIN &&
		    strcmp(line.reason, "It was asked for") == 0)
			count++;
	}
	return count;
}

static void
observe(struct world *world, struct buf *out)
{
	struct ledger_line line;

	buf_printf(out, "%d lines, and %u of those before; the new one: %s",
	    (int)ledger_last(ledger(world)), count_old(world),
	    ledger_find(ledger(world), NEW_ID, &line) ? "yes" : "no");
}

static void
check(struct world *world)
{
	struct ledger_line line;

	walk_repair(world);
	walk_hold("L1", count_old(world) >= LEDGER_LINES - 1);
	walk_hold(
	    "L2", !ledger_find(ledger(world), NEW_ID, &line) ||
		      (line.cause == LEDGER_ADMIN && strcmp(line.reason, "It was asked for") == 0));
	write_line(world, LATER_ID);
	walk_hold("L3", ledger_find(ledger(world), LATER_ID, &line));
}

static void
add_line(const struct world *world, char letter, size_t len)
{
	char text[LONG_LINE];

	memset(text, letter, len);
	loglines_add(log_of(world), LOG_LEVEL_INFO, span_make(text, len));
}

static void
prepare_log(struct world *world)
{
	for (char letter = 'a'; letter < 'a' + LOG_LINES; letter++)
		add_line(world, letter, 100);
}

static void
act_log(struct world *world)
{
	add_line(world, 'x', LONG_LINE);
}

/* The first letters of all lines that are whole. */
static void
list(const struct world *world, char *ret)
{
	uint64_t cursor = loglines_oldest(log_of(world)), end = loglines_end(log_of(world));
	struct logline line;
	size_t n = 0;

	while (n < LOG_LINES + 2 && loglines_next(log_of(world), &cursor, end, &line)) {
		size_t same = 0;

		while (same < line.len && line.text[same] == line.text[0])
			same++;
		ret[n++] = same == line.len ? line.text[0] : '?';
	}
	ret[n] = '\0';
}

static void
observe_log(struct world *world, struct buf *out)
{
	char lines[LOG_LINES + 3];

	list(world, lines);
	buf_printf(out, "lines: %s", lines);
}

static void
check_log(struct world *world)
{
	char lines[LOG_LINES + 3];

	walk_repair(world);
	list(world, lines);
	walk_hold("L1", memcmp(lines, "abc", LOG_LINES) == 0);
	walk_hold("L2", strcmp(lines, "abc") == 0 || strcmp(lines, "abcx") == 0);
	add_line(world, 'z', 1);
	list(world, lines);
	walk_hold("L3", lines[strlen(lines) - 1] == 'z');
}

const struct scenario ledger_scenarios[] = {
	{ "Writing a line into the ledger", prepare, act_write, observe, check },
	{ "Adding a line to those of the log", prepare_log, act_log, observe_log, check_log },
	{ 0 },
};
