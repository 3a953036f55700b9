/*
 * The lines stand in the segment, so any worker can tell them without opening a file. They are read twice: once to
 * see how many there are, and once to write the last ones; what is logged in between is left for the next call.
 */
#include "gateway/method_logs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/jsonw.h"
#include "base/parse.h"
#include "bus/loglines.h"
#include "bus/segment.h"
#include "conf/conf.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "proto/params.h"

enum { TAIL_LINES, TAIL_LEVEL, TAIL_CURSOR, TAIL_PARAMS };

enum {
	LINES_DEFAULT = 50,
	LINES_MAX = 1000,
	ROOM_AROUND = 1024,
	CURSOR_DIGITS = 16,
	LEVEL_BYTES = 7, /* of the longest one's name */
};

static const struct param table[TAIL_PARAMS] = {
	[TAIL_LINES] = { .name = "lines", .kind = PARAM_INTEGER, .min = 1, .max = LINES_MAX },
	[TAIL_LEVEL] = { .name = "level", .kind = PARAM_STRING, .min = 1, .max = LEVEL_BYTES },
	[TAIL_CURSOR] = { .name = "cursor",
	    .kind = PARAM_STRING,
	    .min = CURSOR_DIGITS,
	    .max = CURSOR_DIGITS },
};

/* What was asked, and the lines among which it is looked for. */
struct tail {
	const struct loglines *lines;
	unsigned limit;
	enum log_level least;
	bool goes_on; /* from a cursor: the first lines behind it, not the last of all */
	uint64_t begin, end;
};

static bool
next_line(const struct tail *tail, uint64_t *cursor, struct logline *ret)
{
	while (loglines_next(tail->lines, cursor, tail->end, ret))
		if (ret->level >= tail->least)
			return true;
	return false;
}

/* How many lines there are too many of, and how many bytes of text in all the others. */
static unsigned
count_surplus(const struct tail *tail)
{
	struct logline line;
	uint64_t cursor = tail->begin;
	unsigned count = 0;

	if (tail->goes_on)
		return 0;
	while (next_line(tail, &cursor, &line))
		count++;
	return count > tail->limit ? count - tail->limit : 0;
}

/* Writes the lines; where there is no room for the last ones, these are left for the next call. */
static void
write_lines(struct tail *tail, struct jsonw *w, size_t room)
{
	unsigned surplus = count_surplus(tail), written = 0;
	uint64_t cursor = tail->begin;
	struct logline line;

	while (written < tail->limit && next_line(tail, &cursor, &line)) {
		size_t before = w->out->len;

		if (surplus > 0) {
			surplus--;
			continue;
		}
		jsonw_str(w, span_make(line.text, line.len));
		if (w->out->len > room && written > 0) {
			w->out->len = before;
			return;
		}
		written++;
		tail->begin = cursor;
	}
	if (written < tail->limit)
		tail->begin = tail->end;
}

static void
answer_tail(const struct answer *to, struct tail *tail)
{
	struct gateway *g = to->connection->gateway;
	uint64_t whole = g->conf->gateway.max_payload;
	char cursor[CURSOR_DIGITS + 1];
	struct jsonw w;

	buf_reset(&g->text);
	jsonw_init(&w, &g->text);
	jsonw_object(&w);
	jsonw_key(&w, "lines");
	jsonw_array(&w);
	write_lines(tail, &w, whole > ROOM_AROUND ? (size_t)whole - ROOM_AROUND : 0);
	jsonw_array_end(&w);
	snprintf(cursor, sizeof(cursor), "%016" PRIx64, tail->begin);
	jsonw_key(&w, "cursor");
	jsonw_cstr(&w, cursor);
	jsonw_object_end(&w);
	if (buf_status(&g->text) != 0)
		answer_no_memory(to);
	else
		answer_result(to, buf_span(&g->text));
}

static bool
find_level(struct span name, enum log_level *ret)
{
	for (enum log_level level = LOG_LEVEL_DEBUG; level <= LOG_LEVEL_ERROR; level++)
		if (span_is(name, log_level_name(level))) {
			*ret = level;
			return true;
		}
	return false;
}

/* Returns 0; -EBADMSG and *ret_fault; -ENOMEM. */
static int
read_question(struct span text, struct tail *ret, struct envelope_fault *ret_fault)
{
	struct params params;
	const struct param_value *v = params.values;
	int r = params_read(&params, text, "params", table, TAIL_PARAMS, ret_fault);

	if (r != 0)
		return r;
	ret->limit = v[TAIL_LINES].is_present ? (unsigned)v[TAIL_LINES].integer : LINES_DEFAULT;
	ret->goes_on = v[TAIL_CURSOR].is_present;
	if (v[TAIL_LEVEL].is_present && !find_level(v[TAIL_LEVEL].string, &ret->least)) {
		envelope_fault_set(ret_fault, "invalid-field", "params.level",
		    "level must be debug, info, warning or error");
		r = -EBADMSG;
	} else if (ret->goes_on &&
		   parse_hex_u64(v[TAIL_CURSOR].string, UINT64_MAX, &ret->begin) != 0) {
		envelope_fault_set(ret_fault, "invalid-field", "params.cursor",
		    "cursor must be that of an earlier answer");
		r = -EBADMSG;
	}
	params_fini(&params);
	return r;
}

void
method_logs_tail(const struct answer *to, const struct envelope *frame)
{
	const struct gateway *g = to->connection->gateway;
	struct tail tail = { .lines = segment_loglines(g->segment), .least = LOG_LEVEL_DEBUG };
	struct envelope_fault fault;
	int r;

	tail.begin = loglines_oldest(tail.lines);
	tail.end = loglines_end(tail.lines);
	r = read_question(frame->params.text, &tail, &fault);
	if (r == -EBADMSG)
		answer_fault(to, &fault);
	else if (r != 0)
		answer_no_memory(to);
	else
		answer_tail(to, &tail);
}
