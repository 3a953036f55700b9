/*
 * Reads .env files line by line. Such files belong to many programs and follow no standard; what is
 * read here is what shells and the usual libraries agree on. A quote that is not closed ends with
 * its line, so that no slip in one program's line hides another's.
 */
#include "conf/dotenv.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static struct span
skip_blanks(struct span s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s = span_skip(s, 1);
	return s;
}

static bool
is_name_byte(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

/* Cuts the first word off the front: up to white space or an equals sign. */
static struct span
take_word(struct span *s)
{
	size_t n = 0;

	while (n < s->n && s->p[n] != '=' && !is_blank(s->p[n]))
		n++;
	*s = span_skip(*s, n);
	return span_make(s->p - n, n);
}

static bool
is_name(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is_name_byte(s.p[i]))
			return false;
	}
	return s.n > 0;
}

/* What a backslash and this letter mean between double quotes; 0: nothing, both stand. */
static char
escaped_byte(char c)
{
	switch (c) {
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	case '"':
	case '\\':
	case '$':
		return c;
	default:
		return 0;
	}
}

/* Cuts a quoted value off the front. False: its closing quote is missing. */
static bool
take_quoted(struct span *s, struct buf *value)
{
	char quote = s->p[0];

	for (size_t i = 1; i < s->n; i++) {
		char next = i + 1 < s->n ? escaped_byte(s->p[i + 1]) : 0;

		if (s->p[i] == quote) {
			*s = span_skip(*s, i + 1);
			return true;
		}
		if (quote == '"' && s->p[i] == '\\' && next != 0) {
			buf_append_byte(value, next);
			i++;
		} else {
			buf_append_byte(value, s->p[i]);
		}
	}
	return false;
}

/* Appends a value without quotes: up to a comment, without the white space at its end. */
static void
append_plain(struct span s, struct buf *value)
{
	size_t n = 0;

	while (n < s.n && !(s.p[n] == '#' && (n == 0 || is_blank(s.p[n - 1]))))
		n++;
	while (n > 0 && is_blank(s.p[n - 1]))
		n--;
	buf_append(value, s.p, n);
}

/* Reads what stands behind the equals sign. NULL, or what is wrong with it. */
static const char *
read_value(struct span s, struct buf *value)
{
	s = skip_blanks(s);
	if (s.n == 0 || (s.p[0] != '"' && s.p[0] != '\'')) {
		append_plain(s, value);
		return NULL;
	}
	if (!take_quoted(&s, value))
		return "the closing quote is missing";
	s = skip_blanks(s);
	if (s.n > 0 && s.p[0] != '#')
		return "something follows the closing quote";
	return NULL;
}

/* Reads one line that is neither empty nor a comment. */
static void
read_line(struct span s, struct buf *value, struct dotenv_entry *ret)
{
	ret->name = take_word(&s);
	if (span_is(ret->name, "export") && s.n > 0 && is_blank(s.p[0])) {
		s = skip_blanks(s);
		if (s.n > 0 && s.p[0] != '=')
			ret->name = take_word(&s);
	}
	s = skip_blanks(s);
	if (!is_name(ret->name))
		ret->fault = "names consist of letters, digits and _";
	else if (s.n == 0 || s.p[0] != '=')
		ret->fault = "the name must be followed by = and a value";
	else
		ret->fault = read_value(span_skip(s, 1), value);
}

void
dotenv_open(struct dotenv *d, struct span text)
{
	*d = (struct dotenv){ .rest = text };
	if (span_has_prefix(text, SPAN("\xef\xbb\xbf")))
		d->rest = span_skip(text, 3);
}

bool
dotenv_next(struct dotenv *d, struct buf *value, struct dotenv_entry *ret)
{
	while (d->rest.n > 0) {
		const char *newline = memchr(d->rest.p, '\n', d->rest.n);
		size_t n = newline != NULL ? (size_t)(newline - d->rest.p) : d->rest.n;
		struct span line = skip_blanks(span_make(d->rest.p, n));

		d->rest = span_skip(d->rest, n + (newline != NULL));
		d->line++;
		if (line.n == 0 || line.p[0] == '#')
			continue;
		buf_reset(value);
		*ret = (struct dotenv_entry){ .line = d->line };
		read_line(line, value, ret);
		ret->value = buf_span(value);
		return true;
	}
	return false;
}
