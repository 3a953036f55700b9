/*
 * A line is put together on the stack, so that logging works when memory is gone, and leaves by one
 * write. In front of it the storage has a head: a newline that is sent along only where the sink took
 * the line before in part (the torn line then ends there and this one is whole), and behind that the
 * priority where the sink wants it.
 */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digits.h"
#include "base/span.h"
#include "base/text.h"

enum {
	PROCESS_MAX = 32,
	MINUTE_MS = 60000,
	PIECE_MAX = 8, /* bytes that one character of a message may take in a line */
	TIME_MAX = 32,
	PRIORITY_LEN = 3,	     /* <6> */
	HEAD_LEN = 1 + PRIORITY_LEN, /* a newline, and that */
};

struct sink {
	int fd;
	bool has_priority;
	bool is_torn;  /* it ends in the middle of a line */
	unsigned lost; /* lines that it did not take since it took one */
};

/* The logger's state; see log.h for when it may change. */
static struct {
	enum log_level level;
	enum log_format format;
	struct sink file, standard_error;
	unsigned lost; /* lines of both, since log_take_lost */
	log_tap_fn tap;
	void *tap_arg;
	char process[PROCESS_MAX];
} state = {
	.level = LOG_LEVEL_INFO,
	.file = { .fd = -1 },
	.standard_error = { .fd = STDERR_FILENO },
};

struct line {
	enum log_level level;
	size_t len; /* behind the head */
	char bytes[HEAD_LEN + LOG_LINE_MAX];
};

static const char *const level_names[] = {
	[LOG_LEVEL_DEBUG] = "debug",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_ERROR] = "error",
};

static void
line_append(struct line *line, struct span text)
{
	memcpy(line->bytes + HEAD_LEN + line->len, text.p, text.n);
	line->len += text.n;
}

/* How the first character of the message stands in a line of text; takes it off the message. */
static size_t
text_piece(struct span *message, char out[PIECE_MAX])
{
	struct span from = *message;
	unsigned char byte = (unsigned char)from.p[0];
	bool is_valid;
	size_t n = text_character(from, &is_valid);
	/* U+0080 to U+009F are control characters to a terminal, just like those below 0x20. */
	bool is_control = byte < 0x20 || byte == 0x7f ||
			  (n == 2 && byte == 0xc2 && (unsigned char)from.p[1] < 0xa0);

	if (is_valid && !is_control) {
		memcpy(out, from.p, n);
		*message = span_skip(from, n);
		return n;
	}
	*message = span_skip(from, 1);
	memcpy(out, "\\x", 2);
	digits_put_hex(out + 2, 2, byte);
	return 4;
}

/* Appends the message and its tail; what has no room is cut at a character, and "..." says so. */
static void
line_append_message(struct line *line, struct span message, struct span tail)
{
	static const struct span dots = SPAN_INIT("...");
	size_t room = LOG_LINE_MAX - tail.n;
	size_t uncut = line->len; /* length of the longest cut that leaves room for the dots */

	while (message.n > 0) {
		char piece[PIECE_MAX];
		size_t n = state.format == LOG_FORMAT_JSON ? text_json_piece(&message, piece)
							   : text_piece(&message, piece);

		if (line->len + n > room) {
			line->len = uncut;
			line_append(line, dots);
			break;
		}
		line_append(line, span_make(piece, n));
		if (line->len + dots.n <= room)
			uncut = line->len;
	}
	line_append(line, tail);
}

static void
write_time(char out[TIME_MAX])
{
	uint64_t now_ms = clock_real_ms();
	time_t seconds = (time_t)(now_ms / 1000);
	struct tm tm;
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(out, TIME_MAX - 5, "%Y-%m-%dT%H:%M:%S.", &tm);
	digits_put_decimal(out + n, 3, now_ms % 1000);
	memcpy(out + n + 3, "Z", 2);
}

/* All that stands before the message. The process name was made harmless when it was set. */
static void
line_begin(struct line *line, enum log_level level, uint32_t conn_id)
{
	bool is_json = state.format == LOG_FORMAT_JSON;
	const char *level_name = log_level_name(level);
	char time_text[TIME_MAX], conn[32] = "";
	int n;

	write_time(time_text);
	if (conn_id != 0)
		snprintf(conn, sizeof(conn),
		    is_json ? "\"conn\":\"%08" PRIx32 "\"," : "[%08" PRIx32 "] ", conn_id);
	if (is_json)
		n = snprintf(line->bytes + HEAD_LEN, LOG_LINE_MAX,
		    "{\"time\":\"%s\",\"level\":\"%s\",\"process\":\"%s\",%s\"message\":\"",
		    time_text, level_name, state.process, conn);
	else
		n = snprintf(line->bytes + HEAD_LEN, LOG_LINE_MAX, "%s %-5s %s%s%s", time_text,
		    level_name, state.process, state.process[0] != '\0' ? " " : "", conn);
	line->level = level;
	line->len = (size_t)n;
}

static void
line_end(struct line *line, struct span message)
{
	line_append_message(
	    line, message, state.format == LOG_FORMAT_JSON ? SPAN("\"}\n") : SPAN("\n"));
}

/* Writes what this sink wants in front of the line; returns how much of the head is left out. */
static size_t
line_put_head(struct line *line, const struct sink *sink)
{
	/* syslog's err, warning, info and debug */
	static const char *const priorities[] = {
		[LOG_LEVEL_DEBUG] = "<7>",
		[LOG_LEVEL_INFO] = "<6>",
		[LOG_LEVEL_WARNING] = "<4>",
		[LOG_LEVEL_ERROR] = "<3>",
	};
	size_t at = HEAD_LEN;

	if (sink->has_priority) {
		at -= PRIORITY_LEN;
		memcpy(line->bytes + at, priorities[line->level], PRIORITY_LEN);
	}
	if (sink->is_torn)
		line->bytes[--at] = '\n';
	return at;
}

/* False: it took nothing. */
static bool
sink_take(struct sink *sink, struct line *line)
{
	size_t skip = line_put_head(line, sink);
	size_t wanted = line->len + HEAD_LEN - skip;
	ssize_t n;

	do
		n = write(sink->fd, line->bytes + skip, wanted);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		sink->is_torn = (size_t)n < wanted;
	return n > 0;
}

/* Says what is missing before more comes; false: the sink still takes nothing. */
static bool
sink_tell_lost(struct sink *sink)
{
	char message[64];
	struct line line;

	snprintf(message, sizeof(message), "lines that could not be written here: %u", sink->lost);
	line_begin(&line, LOG_LEVEL_WARNING, 0);
	line_end(&line, span_cstr(message));
	return sink_take(sink, &line);
}

static void
sink_write(struct sink *sink, struct line *line)
{
	if (sink->fd < 0)
		return;
	if (sink->lost > 0 && sink_tell_lost(sink))
		sink->lost = 0;
	if (sink->lost > 0 || !sink_take(sink, line)) {
		sink->lost++;
		state.lost++;
	}
}

void
log_configure(const struct log_setup *setup)
{
	state.level = setup->level;
	state.format = setup->format;
	state.file = (struct sink){ .fd = setup->file_fd };
	state.standard_error =
	    (struct sink){ .fd = setup->stderr_fd, .has_priority = setup->stderr_has_priority };
}

int
log_set_file(int fd)
{
	int before = state.file.fd;

	state.file = (struct sink){ .fd = fd };
	return before;
}

void
log_set_tap(log_tap_fn tap, void *arg)
{
	state.tap = tap;
	state.tap_arg = arg;
}

unsigned
log_take_lost(void)
{
	unsigned lost = state.lost;

	state.lost = 0;
	return lost;
}

void
log_set_form(enum log_level level, enum log_format format)
{
	state.level = level;
	state.format = format;
}

void
log_set_process(const char *name)
{
	size_t n = 0;

	/* Neither format may be broken by it: only printable ASCII, no quote, no backslash. */
	for (; name[n] != '\0' && n < PROCESS_MAX - 1; n++) {
		bool is_harmless =
		    name[n] >= ' ' && name[n] <= '~' && name[n] != '"' && name[n] != '\\';

		state.process[n] = name[n];
		if (!is_harmless)
			state.process[n] = '_';
	}
	state.process[n] = '\0';
}

void
log_write(enum log_level level, uint32_t conn_id, const char *fmt, ...)
{
	int saved_errno = errno;
	/* A message that fills this is longer than any line, so that cutting it shows. */
	char message[LOG_LINE_MAX];
	struct line line;
	va_list args;
	int n;

	if (!log_is_enabled(level))
		return;
	va_start(args, fmt);
	n = vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	if (n < 0)
		message[0] = '\0';
	line_begin(&line, level, conn_id);
	line_end(&line, span_cstr(message));
	if (state.tap != NULL)
		state.tap(state.tap_arg, level, span_make(line.bytes + HEAD_LEN, line.len - 1));
	sink_write(&state.file, &line);
	sink_write(&state.standard_error, &line);
	errno = saved_errno;
}

bool
log_limit_pass(
    struct log_limit *limit, uint64_t now_ms, unsigned per_minute, unsigned *ret_suppressed)
{
	if (limit->passed == 0 || now_ms - limit->window_start_ms >= MINUTE_MS) {
		limit->window_start_ms = now_ms;
		limit->passed = 0;
	}
	if (limit->passed >= per_minute) {
		limit->suppressed++;
		return false;
	}
	limit->passed++;
	*ret_suppressed = limit->suppressed;
	limit->suppressed = 0;
	return true;
}

bool
log_is_enabled(enum log_level level)
{
	return level >= state.level;
}

const char *
log_level_name(enum log_level level)
{
	return level_names[level];
}
