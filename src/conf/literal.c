/*
 * The text form of values. Lists are split at commas, which no item may therefore hold; white space
 * around an item is not part of it.
 */
#include "conf/literal.h"

#include "base/parse.h"

static const char *const yes_words[] = { "true", "1", "yes", "on", NULL };
static const char *const no_words[] = { "false", "0", "no", "off", NULL };

static bool
is_among(struct span text, const char *const *words)
{
	while (*words != NULL && !span_is(text, *words))
		words++;
	return *words != NULL;
}

static void
set_bool_text(struct draft *d, const struct setting *s, struct span text, const char *place)
{
	if (is_among(text, yes_words))
		draft_set_bool(d, s, true, place);
	else if (is_among(text, no_words))
		draft_set_bool(d, s, false, place);
	else
		draft_refuse_text(d, s, text, place);
}

static void
set_integer_text(struct draft *d, const struct setting *s, struct span text, const char *place)
{
	int64_t value;

	if (parse_i64(text, s->min, s->max, &value) == 0)
		draft_set_integer(d, s, value, place);
	else
		draft_refuse_text(d, s, text, place);
}

static void
add_item(
    struct draft *d, const struct setting *s, struct span text, size_t index, const char *place)
{
	if (s->type == SETTING_TOKENS)
		draft_add_token(d, s, text, index, place);
	else
		draft_add_item(d, s, text, index, place);
}

static void
set_list_text(struct draft *d, const struct setting *s, struct span text, const char *place)
{
	bool is_more = span_trim(text).n > 0;

	draft_begin_list(d, s, place);
	for (size_t index = 0; is_more; index++) {
		const char *comma = memchr(text.p, ',', text.n);
		size_t n = comma != NULL ? (size_t)(comma - text.p) : text.n;

		add_item(d, s, span_trim(span_make(text.p, n)), index, place);
		is_more = comma != NULL;
		text = span_skip(text, n + is_more);
	}
}

void
literal_apply(struct draft *d, const struct setting *s, struct span text, const char *place)
{
	switch (s->type) {
	case SETTING_BOOL:
		set_bool_text(d, s, text, place);
		return;
	case SETTING_INT:
		set_integer_text(d, s, text, place);
		return;
	case SETTING_STRING:
	case SETTING_ENUM:
		draft_set_string(d, s, text, place);
		return;
	case SETTING_SECRET:
		draft_set_secret(d, s, text, place);
		return;
	case SETTING_LIST:
	case SETTING_TOKENS:
		set_list_text(d, s, text, place);
		return;
	}
}
