/*
 * One walk over the tokens serves both layouts. The text was proved valid before, so a string ends
 * at its quote, and every opener has its closer; the walk itself never leaves the span all the same.
 */
#include "cli/jsonprint.h"

#include <stdbool.h>

#include "base/text.h"

struct printer {
	struct buf *out;
	const char *p, *end;
	unsigned depth;
	bool indented;
};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void
skip_space(struct printer *w)
{
	while (w->p < w->end && is_space(*w->p))
		w->p++;
}

static void
break_line(struct printer *w)
{
	if (!w->indented)
		return;
	buf_append_byte(w->out, '\n');
	for (unsigned i = 0; i < w->depth; i++)
		buf_append_cstr(w->out, "  ");
}

/*
 * How many bytes at p are a control character that JSON strings may hold unescaped, but terminals
 * obey: DEL, or U+0080 to U+009F. 0: none.
 */
static size_t
control_length(const char *p, const char *end)
{
	if (*p == 0x7f)
		return 1;
	if ((unsigned char)*p == 0xc2 && end - p > 1 && (unsigned char)p[1] >= 0x80 &&
	    (unsigned char)p[1] <= 0x9f)
		return 2;
	return 0;
}

/* Appends bytes that stand inside a JSON string. */
static void
append_safe(struct buf *out, const char *p, const char *end)
{
	while (p < end) {
		size_t n = control_length(p, end);

		if (n == 0)
			buf_append_byte(out, *p++);
		else
			buf_printf(out, "\\u00%02x", (unsigned char)p[n - 1]);
		p += n;
	}
}

static void
print_string(struct printer *w)
{
	const char *begin = w->p++;

	while (w->p < w->end && *w->p != '"') {
		bool escaped = *w->p == '\\' && w->end - w->p > 1;

		w->p += escaped ? 2 : 1;
	}
	if (w->p < w->end)
		w->p++;
	append_safe(w->out, begin, w->p);
}

static void
print_opener(struct printer *w)
{
	buf_append_byte(w->out, *w->p++);
	w->depth++;
	skip_space(w);
	if (w->p < w->end && *w->p != '}' && *w->p != ']') {
		break_line(w);
		return;
	}
	w->depth--;
	if (w->p < w->end)
		buf_append_byte(w->out, *w->p++);
}

static void
print_closer(struct printer *w)
{
	if (w->depth > 0)
		w->depth--;
	break_line(w);
	buf_append_byte(w->out, *w->p++);
}

static void
print_token(struct printer *w)
{
	switch (*w->p) {
	case '"':
		print_string(w);
		break;
	case '{':
	case '[':
		print_opener(w);
		break;
	case '}':
	case ']':
		print_closer(w);
		break;
	case ',':
		buf_append_byte(w->out, *w->p++);
		break_line(w);
		break;
	case ':':
		buf_append_cstr(w->out, w->indented ? ": " : ":");
		w->p++;
		break;
	default:
		buf_append_byte(w->out, *w->p++);
	}
}

static void
print_all(struct buf *out, struct span json, bool indented)
{
	struct printer w = {
		.out = out, .p = json.p, .end = json.p + json.n, .indented = indented
	};

	for (skip_space(&w); w.p < w.end; skip_space(&w))
		print_token(&w);
}

void
jsonprint_indented(struct buf *out, struct span json)
{
	print_all(out, json, true);
	buf_append_byte(out, '\n');
}

void
jsonprint_compact(struct buf *out, struct span json)
{
	print_all(out, json, false);
}

void
jsonprint_plain(struct buf *out, struct span text)
{
	while (text.n > 0) {
		bool valid;
		size_t n = text_character(text, &valid);

		if (!valid)
			buf_append_cstr(out, "\xef\xbf\xbd");
		else if ((unsigned char)*text.p < 0x20)
			buf_printf(out, "\\u%04x", (unsigned)*text.p);
		else
			append_safe(out, text.p, text.p + n);
		text = span_skip(text, n);
	}
}
