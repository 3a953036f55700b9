/*
 * The kinds are told from what the help calls a value: FILE, DIR, and words with a bar between
 * them. So whoever adds an option adds its completion, too.
 */
#include "cli/candidates.h"

#include <stdio.h>
#include <string.h>

#include "cli/invocation.h"
#include "cli/option.h"
#include "gateway/methods.h"

static enum candidate_kind
kind_of(const char *argument)
{
	if (argument == NULL)
		return CANDIDATE_NONE;
	if (strcmp(argument, "FILE") == 0)
		return CANDIDATE_FILE;
	if (strcmp(argument, "DIR") == 0)
		return CANDIDATE_DIR;
	return strchr(argument, '|') != NULL ? CANDIDATE_WORDS : CANDIDATE_ANY;
}

static void
from_option(const struct cli_option *option, struct candidate *ret)
{
	*ret = (struct candidate){
		.letter = option->letter,
		.help = option->help,
		.kind = kind_of(option->argument),
		.argument = option->argument,
	};
	snprintf(ret->name, sizeof(ret->name), "%s", option->name);
}

static void
from_setting(const struct setting *s, struct candidate *ret)
{
	*ret = (struct candidate){ .help = s->help, .kind = CANDIDATE_ANY, .choices = s->choices };
	if (s->type == SETTING_BOOL)
		ret->kind = CANDIDATE_NONE; /* it may have a value, but only behind "=" */
	else if (s->choices != NULL)
		ret->kind = CANDIDATE_WORDS;
	else if (s->wanted != NULL && strstr(s->wanted, "path of a file") != NULL)
		ret->kind = CANDIDATE_FILE;
	setting_flag(s, ret->name);
}

bool
candidates_next(const struct verb *verb, size_t *cursor, struct candidate *ret)
{
	size_t i = *cursor;

	for (; i < OPTION_ID_COUNT; i++) {
		if (i == OPTION_HELP || (verb->syntax.options & OPTION_BIT(i)) != 0) {
			from_option(&cli_options[i], ret);
			*cursor = i + 1;
			return true;
		}
	}
	for (; verb->syntax.takes_settings && i < OPTION_ID_COUNT + settings_count(); i++) {
		if (setting_has_flag(&settings[i - OPTION_ID_COUNT])) {
			from_setting(&settings[i - OPTION_ID_COUNT], ret);
			*cursor = i + 1;
			return true;
		}
	}
	return false;
}

static void
append_bars_as_spaces(struct buf *out, const char *words)
{
	for (; *words != '\0'; words++)
		buf_append_byte(out, *words == '|' ? ' ' : *words);
}

void
candidates_words(const struct candidate *c, struct buf *out)
{
	if (c->argument != NULL)
		append_bars_as_spaces(out, c->argument);
	for (size_t i = 0; c->choices != NULL && c->choices[i] != NULL; i++)
		buf_printf(out, "%s%s", i > 0 ? " " : "", c->choices[i]);
}

enum candidate_kind
candidates_operand(const struct verb *verb, struct buf *out)
{
	const char *operand = verb->syntax.operand;

	if (operand == NULL)
		return CANDIDATE_NONE;
	if (strcmp(operand, "METHOD") == 0) {
		for (unsigned i = 0; i < methods_count(); i++)
			buf_printf(out, "%s%s", i > 0 ? " " : "", method_at(i)->name);
		return CANDIDATE_WORDS;
	}
	if (kind_of(operand) == CANDIDATE_WORDS)
		append_bars_as_spaces(out, operand);
	return kind_of(operand);
}

/* What stands behind the prefix in the path; empty when that does not begin so. */
static struct span
behind(const char *path, struct span prefix)
{
	struct span rest = span_cstr(path);

	if (prefix.n == 0)
		return rest;
	if (!span_has_prefix(rest, prefix) || rest.n == prefix.n || rest.p[prefix.n] != ' ')
		return SPAN("");
	return span_skip(rest, prefix.n + 1);
}

static bool
any_before(const struct invocation *v, size_t verb, struct span prefix)
{
	for (size_t i = 0; i < verb; i++) {
		if (behind(v->verbs[i].path, prefix).n > 0)
			return true;
	}
	return false;
}

bool
candidates_next_prefix(const struct invocation *v, size_t *cursor, struct span *ret)
{
	enum { DEPTHS = 4 }; /* no path has more words */

	for (size_t i = *cursor; i < v->verb_count * DEPTHS; i++) {
		const char *path = v->verbs[i / DEPTHS].path;
		const char *end = path;

		for (size_t depth = 0; end != NULL && depth < i % DEPTHS; depth++)
			end = strchr(end == path ? path : end + 1, ' ');
		if (end == NULL || any_before(v, i / DEPTHS, span_make(path, (size_t)(end - path))))
			continue;
		*ret = span_make(path, (size_t)(end - path));
		*cursor = i + 1;
		return true;
	}
	return false;
}

static struct span
first_word(struct span text)
{
	const char *space = text.n > 0 ? memchr(text.p, ' ', text.n) : NULL;

	return span_make(text.p, space != NULL ? (size_t)(space - text.p) : text.n);
}

static bool
word_before(const struct invocation *v, size_t verb, struct span prefix, struct span word)
{
	for (size_t i = 0; i < verb; i++) {
		if (span_is_equal(first_word(behind(v->verbs[i].path, prefix)), word))
			return true;
	}
	return false;
}

bool
candidates_next_word(const struct invocation *v, struct span prefix, size_t *cursor,
    struct span *ret_word, const struct verb **ret_verb)
{
	for (size_t i = *cursor; i < v->verb_count; i++) {
		struct span word = first_word(behind(v->verbs[i].path, prefix));

		if (word.n == 0 || word_before(v, i, prefix, word))
			continue;
		*ret_word = word;
		*ret_verb = &v->verbs[i];
		*cursor = i + 1;
		return true;
	}
	return false;
}
