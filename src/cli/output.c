/*
 * Standard output is fully buffered by libc where it is no terminal: who prints line by line for a
 * reader that waits flushes it.
 */
#include "cli/output.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "cli/jsonprint.h"
#include "sys/journal.h"

/* What the journal takes for the priority of a line, where standard error goes there. */
static const char *
priority(void)
{
	return journal_is_stderr() ? "<3>" : "";
}

void
output_line(struct span line)
{
	fflush(stdout);
	fprintf(stderr, "%s%.*s\n", priority(), SPAN_ARGS(line));
}

void
output_error(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "%slurkbot: ", priority());
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

enum cli_status
output_take(struct buf *text)
{
	enum cli_status status = CLI_OK;

	if (buf_status(text) != 0) {
		output_error("out of memory");
		status = CLI_FAILED;
	} else if (text->len > 0) {
		fwrite(text->data, 1, text->len, stdout);
	}
	buf_fini(text);
	return status;
}

enum cli_status
output_json(struct span json, bool one_line)
{
	struct buf text = { 0 };

	if (one_line) {
		jsonprint_compact(&text, json);
		buf_append_byte(&text, '\n');
	} else {
		jsonprint_indented(&text, json);
	}
	return output_take(&text);
}

void
output_duration(uint64_t ms, char ret[OUTPUT_DURATION_MAX])
{
	uint64_t s = ms / 1000, m = s / 60, h = m / 60, d = h / 24;

	if (d > 0)
		snprintf(ret, OUTPUT_DURATION_MAX, "%" PRIu64 "d %" PRIu64 "h", d, h % 24);
	else if (h > 0)
		snprintf(ret, OUTPUT_DURATION_MAX, "%" PRIu64 "h %" PRIu64 "m", h, m % 60);
	else if (m > 0)
		snprintf(ret, OUTPUT_DURATION_MAX, "%" PRIu64 "m %" PRIu64 "s", m, s % 60);
	else
		snprintf(ret, OUTPUT_DURATION_MAX, "%" PRIu64 "s", s);
}

void
output_time(uint64_t at_ms, char ret[OUTPUT_TIME_MAX])
{
	time_t seconds = (time_t)(at_ms / 1000);
	char date[24] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm) != NULL)
		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret, OUTPUT_TIME_MAX, "%s.%03uZ", date, (unsigned)(at_ms % 1000));
}
