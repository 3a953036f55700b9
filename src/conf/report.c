/*
 * Collects the lines of what is wrong. Whatever is added, a line stays one line: the formatted text
 * is escaped once more as a whole, since parsers quote their input in their own messages.
 */
#include "conf/report.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/jsonw.h"
#include "base/text.h"

/* Bytes of foreign text in a message, and of a key. */
enum { QUOTE_MAX = 60, KEY_MAX = 120 };

/* C0, DEL, and C1 as UTF-8: what a terminal might obey. */
static bool
is_control(struct span character)
{
	unsigned char first = (unsigned char)character.p[0];

	return first < 0x20 || first == 0x7f ||
	       (first == 0xc2 && (unsigned char)character.p[1] < 0xa0);
}

static void
append_escaped(struct buf *out, struct span s)
{
	while (s.n > 0) {
		bool is_valid;
		struct span character = span_make(s.p, text_character(s, &is_valid));

		if (is_valid && !is_control(character))
			buf_append_span(out, character);
		for (size_t i = 0; i < character.n && (!is_valid || is_control(character)); i++)
			buf_printf(out, "\\x%02x", (unsigned char)character.p[i]);
		s = span_skip(s, character.n);
	}
}

void
conf_report_fini(struct conf_report *r)
{
	buf_fini(&r->text);
	r->count = 0;
}

static struct buf format_message(const char *fmt, va_list args) printf_like(1, 0);

/* Formats into a buffer of its own; the caller frees it. */
static struct buf
format_message(const char *fmt, va_list args)
{
	struct buf message = { 0 };
	va_list again;
	int n;

	va_copy(again, args);
	n = vsnprintf(NULL, 0, fmt, args);
	if (n < 0)
		message.failed = true;
	else if (buf_reserve(&message, (size_t)n + 1))
		message.len = (size_t)vsnprintf(message.data, (size_t)n + 1, fmt, again);
	va_end(again);
	return message;
}

void
conf_report_add(struct conf_report *r, const char *place, const char *key, const char *fmt, ...)
{
	struct buf message;
	va_list args;

	r->count++;
	if (r->count == CONF_REPORT_LINES_MAX + 1)
		buf_append_cstr(&r->text, "too many errors: the rest is not listed\n");
	if (r->count > CONF_REPORT_LINES_MAX)
		return;
	va_start(args, fmt);
	message = format_message(fmt, args);
	va_end(args);
	append_escaped(&r->text, span_cstr(place));
	buf_append_cstr(&r->text, ": ");
	if (key != NULL) {
		append_escaped(&r->text, text_cut(span_cstr(key), KEY_MAX));
		buf_append_cstr(&r->text, strnlen(key, KEY_MAX + 1) > KEY_MAX ? "...: " : ": ");
	}
	append_escaped(&r->text, buf_span(&message));
	buf_append_byte(&r->text, '\n');
	r->text.failed = r->text.failed || message.failed;
	buf_fini(&message);
}

void
conf_report_quote(struct buf *out, struct span s)
{
	struct span shown = text_cut(s, QUOTE_MAX);

	buf_append_byte(out, '"');
	jsonw_escape(out, shown);
	buf_append_cstr(out, shown.n < s.n ? "...\"" : "\"");
}

bool
conf_report_next(const struct conf_report *r, size_t *cursor, struct span *ret_line)
{
	struct span rest = span_skip(buf_span(&r->text), *cursor);
	const char *newline;

	if (rest.n == 0)
		return false;
	newline = memchr(rest.p, '\n', rest.n);
	if (newline != NULL)
		rest.n = (size_t)(newline - rest.p);
	*ret_line = rest;
	*cursor += rest.n + (newline != NULL);
	return true;
}
