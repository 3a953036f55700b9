/*
 * Lines of JSON items. The walk never descends: what lies inside a value is passed over by
 * counting brackets, so that depth costs nothing.
 */
#include "conf/jsonlines.h"

/* Passes over one byte. */
static void
step(struct jsonlines *w)
{
	w->line += *w->p == '\n';
	w->p++;
}

/* Passes over bytes that are among those given. */
static void
skip_any(struct jsonlines *w, const char *bytes)
{
	while (w->p < w->end && *w->p != '\0' && strchr(bytes, *w->p) != NULL)
		step(w);
}

/* Passes over a string, whose first quote is next. */
static void
skip_string(struct jsonlines *w)
{
	step(w);
	while (w->p < w->end && *w->p != '"') {
		if (*w->p == '\\' && w->p + 1 < w->end)
			step(w);
		step(w);
	}
	if (w->p < w->end)
		step(w);
}

/* Passes over an object or array, whose first bracket is next. */
static void
skip_container(struct jsonlines *w)
{
	size_t depth = 0;

	while (w->p < w->end) {
		if (*w->p == '"') {
			skip_string(w);
			continue;
		}
		depth += *w->p == '{' || *w->p == '[';
		depth -= *w->p == '}' || *w->p == ']';
		step(w);
		if (depth == 0)
			return;
	}
}

static struct span
take_value(struct jsonlines *w)
{
	const char *begin = w->p;

	if (w->p == w->end)
		return span_make(begin, 0);
	if (*w->p == '"') {
		skip_string(w);
	} else if (*w->p == '{' || *w->p == '[') {
		skip_container(w);
	} else {
		while (w->p < w->end && strchr(",]} \t\r\n", *w->p) == NULL)
			step(w);
	}
	return span_make(begin, (size_t)(w->p - begin));
}

void
jsonlines_strip_comments(char *text, size_t n)
{
	bool in_string = false, in_comment = false;

	for (size_t i = 0; i < n; i++) {
		if (text[i] == '\n') {
			in_string = in_comment = false;
		} else if (in_comment) {
			text[i] = ' ';
		} else if (in_string && text[i] == '\\' && i + 1 < n && text[i + 1] != '\n') {
			i++;
		} else if (text[i] == '"') {
			in_string = !in_string;
		} else if (!in_string && text[i] == '/' && i + 1 < n && text[i + 1] == '/') {
			text[i] = ' ';
			in_comment = true;
		}
	}
}

void
jsonlines_open(struct jsonlines *w, struct span container, unsigned line)
{
	*w = (struct jsonlines){ .p = container.p, .end = container.p + container.n, .line = line };
	skip_any(w, " \t\r\n");
	if (w->p == w->end)
		return;
	w->is_object = *w->p == '{';
	step(w);
}

bool
jsonlines_next(struct jsonlines *w, struct jsonlines_item *ret)
{
	struct jsonlines_item item = { 0 };

	skip_any(w, ", \t\r\n");
	if (w->p == w->end || *w->p == '}' || *w->p == ']')
		return false;
	item.line = w->line;
	if (w->is_object) {
		item.key = take_value(w);
		skip_any(w, ": \t\r\n");
	}
	item.value_line = w->line;
	item.value = take_value(w);
	if (item.value.n == 0)
		return false;
	*ret = item;
	return true;
}
