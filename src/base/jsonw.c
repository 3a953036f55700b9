/*
 * The writer knows only whether a comma is due: opening a container and naming a member clear it,
 * every finished value sets it. Nesting is the caller's.
 */
#include "base/jsonw.h"

#include "base/digits.h"
#include "base/text.h"

/* Before a value, and before the key of one. */
static void
separate(struct jsonw *w)
{
	if (w->comma)
		buf_append_byte(w->out, ',');
	w->comma = true;
}

static void
open_container(struct jsonw *w, char bracket)
{
	separate(w);
	buf_append_byte(w->out, bracket);
	w->comma = false;
}

static void
close_container(struct jsonw *w, char bracket)
{
	buf_append_byte(w->out, bracket);
	w->comma = true;
}

static void
put_string(struct buf *out, struct span text)
{
	buf_append_byte(out, '"');
	jsonw_escape(out, text);
	buf_append_byte(out, '"');
}

void
jsonw_init(struct jsonw *w, struct buf *out)
{
	w->out = out;
	w->comma = false;
}

void
jsonw_object(struct jsonw *w)
{
	open_container(w, '{');
}

void
jsonw_object_end(struct jsonw *w)
{
	close_container(w, '}');
}

void
jsonw_array(struct jsonw *w)
{
	open_container(w, '[');
}

void
jsonw_array_end(struct jsonw *w)
{
	close_container(w, ']');
}

void
jsonw_key(struct jsonw *w, const char *key)
{
	jsonw_key_span(w, span_cstr(key));
}

void
jsonw_key_span(struct jsonw *w, struct span key)
{
	separate(w);
	put_string(w->out, key);
	buf_append_byte(w->out, ':');
	w->comma = false;
}

void
jsonw_str(struct jsonw *w, struct span text)
{
	separate(w);
	put_string(w->out, text);
}

void
jsonw_cstr(struct jsonw *w, const char *text)
{
	if (text == NULL)
		jsonw_null(w);
	else
		jsonw_str(w, span_cstr(text));
}

void
jsonw_int(struct jsonw *w, int64_t value)
{
	/* Negated as unsigned: the smallest number has no positive counterpart. */
	if (value >= 0) {
		jsonw_uint(w, (uint64_t)value);
		return;
	}
	separate(w);
	buf_append_byte(w->out, '-');
	w->comma = false;
	jsonw_uint(w, 0 - (uint64_t)value);
}

void
jsonw_uint(struct jsonw *w, uint64_t value)
{
	unsigned width = digits_decimal_width(value);

	separate(w);
	if (!buf_reserve(w->out, width))
		return;
	digits_put_decimal(w->out->data + w->out->len, width, value);
	w->out->len += width;
}

void
jsonw_bool(struct jsonw *w, bool value)
{
	jsonw_raw(w, value ? SPAN("true") : SPAN("false"));
}

void
jsonw_null(struct jsonw *w)
{
	jsonw_raw(w, SPAN("null"));
}

void
jsonw_raw(struct jsonw *w, struct span text)
{
	separate(w);
	buf_append_span(w->out, text);
}

void
jsonw_escape(struct buf *out, struct span text)
{
	while (text.n > 0) {
		char piece[TEXT_JSON_PIECE_MAX];
		size_t n = text_json_plain(text);

		buf_append(out, text.p, n);
		text = span_skip(text, n);
		if (text.n > 0)
			buf_append(out, piece, text_json_piece(&text, piece));
	}
}
