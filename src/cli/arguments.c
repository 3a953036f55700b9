/*
 * An option is looked up among those of the verb first, then among the settings, so a verb may use
 * a setting's name for something of its own only if it takes no settings. Which it was makes one
 * struct target; then both are read by the same code.
 */
#include "cli/arguments.h"

#include <errno.h>
#include <inttypes.h>

#include "base/alloc.h"
#include "base/parse.h"
#include "base/span.h"
#include "conf/settings.h"
#include "conf/suggest.h"

/* What a name on the command line stands for: an option or a setting, the other is NULL. */
struct target {
	const struct cli_option *option;
	const struct setting *setting;
	struct span name; /* as typed */
};

/* The words still to be read. */
struct reader {
	const struct syntax *syntax;
	struct arguments *result;
	struct buf *fault;
	char *const *argv;
	int argc, next;
};

static bool
syntax_has(const struct syntax *syntax, enum option_id id)
{
	return id == OPTION_HELP || (syntax->options & OPTION_BIT(id)) != 0;
}

static enum option_id
option_id(const struct cli_option *option)
{
	return (enum option_id)(option - cli_options);
}

static bool
find_long(const struct syntax *syntax, struct span name, struct target *ret)
{
	*ret = (struct target){ .name = name };
	for (unsigned id = 0; id < OPTION_ID_COUNT && ret->option == NULL; id++) {
		if (syntax_has(syntax, (enum option_id)id) && span_is(name, cli_options[id].name))
			ret->option = &cli_options[id];
	}
	if (ret->option == NULL && syntax->takes_settings)
		ret->setting = settings_by_flag(name);
	return ret->option != NULL || ret->setting != NULL;
}

static bool
find_letter(const struct syntax *syntax, char letter, struct target *ret)
{
	for (unsigned id = 0; id < OPTION_ID_COUNT; id++) {
		if (!syntax_has(syntax, (enum option_id)id) || cli_options[id].letter != letter)
			continue;
		*ret = (struct target){ .option = &cli_options[id],
			.name = span_cstr(cli_options[id].name) };
		return true;
	}
	return false;
}

/* The nearest name that the verb takes, for a name that it does not; empty: none is near. */
static struct span
suggest(const struct syntax *syntax, struct span name, char store[SETTING_NAME_MAX])
{
	struct span near = { NULL, 0 };
	unsigned least = 3;

	for (unsigned id = 0; id < OPTION_ID_COUNT; id++) {
		struct span known = span_cstr(cli_options[id].name);
		unsigned distance = suggest_distance(name, known);

		if (syntax_has(syntax, (enum option_id)id) && distance < least) {
			least = distance;
			near = known;
		}
	}
	for (size_t i = 0; syntax->takes_settings && i < settings_count(); i++) {
		char flag[SETTING_NAME_MAX];
		unsigned distance;

		setting_flag(&settings[i], flag);
		distance = suggest_distance(name, span_cstr(flag));
		if (setting_has_flag(&settings[i]) && distance < least) {
			least = distance;
			memcpy(store, flag, sizeof(flag));
			near = span_cstr(store);
		}
	}
	return near;
}

static int
fail_unknown(struct reader *r, struct span name)
{
	char store[SETTING_NAME_MAX];
	struct span near = suggest(r->syntax, name, store);

	buf_printf(r->fault, "unknown option %.*s", SPAN_ARGS(name));
	if (near.n > 0)
		buf_printf(r->fault, "; did you mean %.*s?", SPAN_ARGS(near));
	return -EINVAL;
}

static int
add_setting(struct arguments *a, const struct setting *setting, const char *value)
{
	struct buf text = { 0 };
	char **grown = mem_resize(a->settings, (a->setting_count + 1) * sizeof(*grown));

	if (grown == NULL)
		return -ENOMEM;
	a->settings = grown;
	buf_append_cstr(&text, setting->key);
	if (value != NULL) {
		buf_append_byte(&text, '=');
		buf_append_cstr(&text, value);
	}
	grown[a->setting_count] = buf_steal(&text, NULL);
	if (grown[a->setting_count] == NULL)
		return -ENOMEM;
	a->setting_count++;
	return 0;
}

static int
add_option(struct reader *r, const struct target *target, const char *value)
{
	const struct cli_option *option = target->option;
	struct occurrence o = { .id = option_id(option), .value = value };
	struct arguments *a = r->result;
	struct occurrence *grown;

	if (option->kind == OPTION_NUMBER) {
		int rc = parse_u64(span_cstr(value), option->max, &o.number);

		if (rc != 0 || o.number < option->min) {
			buf_printf(r->fault, "%.*s: must be a number from %" PRIu64 " to %" PRIu64,
			    SPAN_ARGS(target->name), option->min, option->max);
			return -EINVAL;
		}
	}
	grown = mem_resize(a->list, (a->count + 1) * sizeof(*grown));
	if (grown == NULL)
		return -ENOMEM;
	a->list = grown;
	grown[a->count++] = o;
	return 0;
}

static bool
takes_value(const struct target *target)
{
	return target->option != NULL ? target->option->kind != OPTION_FLAG
				      : target->setting->type != SETTING_BOOL;
}

/* Adds what was found; inline_value is what followed it in the same word, or NULL. */
static int
take(struct reader *r, const struct target *target, const char *inline_value)
{
	const char *value = inline_value;

	if (!takes_value(target)) {
		if (value != NULL && target->option != NULL) {
			buf_printf(r->fault, "%.*s takes no value", SPAN_ARGS(target->name));
			return -EINVAL;
		}
	} else if (value == NULL) {
		if (r->next == r->argc) {
			buf_printf(r->fault, "%.*s needs a value", SPAN_ARGS(target->name));
			return -EINVAL;
		}
		value = r->argv[r->next++];
	}
	return target->option != NULL ? add_option(r, target, value)
				      : add_setting(r->result, target->setting, value);
}

static int
read_long(struct reader *r, const char *word)
{
	const char *equals = strchr(word, '=');
	size_t n = equals != NULL ? (size_t)(equals - word) : strlen(word);
	struct target target;

	if (!find_long(r->syntax, span_make(word, n), &target))
		return fail_unknown(r, span_make(word, n));
	return take(r, &target, equals != NULL ? equals + 1 : NULL);
}

/* One letter or several: the last may take a value, from this word or the next. */
static int
read_short(struct reader *r, const char *word)
{
	struct target target;
	int rc = 0;

	for (const char *p = word + 1; rc == 0 && *p != '\0'; p++) {
		if (!find_letter(r->syntax, *p, &target))
			return fail_unknown(r, span_cstr(word));
		if (takes_value(&target))
			return take(r, &target, p[1] != '\0' ? p + 1 : NULL);
		rc = take(r, &target, NULL);
	}
	return rc;
}

static int
read_operand(struct reader *r, const char *word)
{
	if (r->syntax->operand == NULL || r->result->operand != NULL) {
		buf_printf(r->fault, "unexpected argument \"%s\"", word);
		return -EINVAL;
	}
	r->result->operand = word;
	return 0;
}

int
arguments_parse(struct arguments *ret, const struct syntax *syntax, int argc, char *const *argv,
    struct buf *ret_fault)
{
	struct reader r = {
		.syntax = syntax, .result = ret, .fault = ret_fault, .argv = argv, .argc = argc
	};
	bool options_ended = false;
	int rc = 0;

	*ret = (struct arguments){ 0 };
	while (rc == 0 && r.next < argc && !arguments_has(ret, OPTION_HELP)) {
		const char *word = argv[r.next++];

		if (options_ended || word[0] != '-' || word[1] == '\0')
			rc = read_operand(&r, word);
		else if (strcmp(word, "--") == 0)
			options_ended = true;
		else if (word[1] == '-')
			rc = read_long(&r, word);
		else
			rc = read_short(&r, word);
	}
	return rc;
}

void
arguments_fini(struct arguments *a)
{
	for (size_t i = 0; i < a->setting_count; i++)
		mem_free(a->settings[i]);
	mem_free(a->settings);
	mem_free(a->list);
	*a = (struct arguments){ 0 };
}

static const struct occurrence *
find_last(const struct arguments *a, enum option_id id)
{
	for (size_t i = a->count; i > 0; i--) {
		if (a->list[i - 1].id == id)
			return &a->list[i - 1];
	}
	return NULL;
}

bool
arguments_has(const struct arguments *a, enum option_id id)
{
	return find_last(a, id) != NULL;
}

const char *
arguments_text(const struct arguments *a, enum option_id id)
{
	const struct occurrence *o = find_last(a, id);

	return o != NULL ? o->value : NULL;
}

uint64_t
arguments_number(const struct arguments *a, enum option_id id, uint64_t fallback)
{
	const struct occurrence *o = find_last(a, id);

	return o != NULL ? o->number : fallback;
}

const char *
arguments_each(const struct arguments *a, enum option_id id, size_t *cursor)
{
	while (*cursor < a->count) {
		const struct occurrence *o = &a->list[(*cursor)++];

		if (o->id == id)
			return o->value;
	}
	return NULL;
}
