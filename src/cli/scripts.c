/*
 * bash and zsh get a function for each table, a case of strings; fish is told each row by a command
 * of its own, as it wants. All three go the same way: the words of the verb first, then options.
 */
#include "cli/scripts.h"

#include <string.h>

#include "cli/candidates.h"
#include "cli/invocation.h"

/* In single quotes, for a POSIX shell, or for fish, which knows a backslash there. */
static void
append_quoted(struct buf *out, struct span text, bool is_fish)
{
	buf_append_byte(out, '\'');
	for (size_t i = 0; i < text.n; i++) {
		if (is_fish && (text.p[i] == '\'' || text.p[i] == '\\'))
			buf_append_byte(out, '\\');
		buf_append_byte(out, text.p[i]);
		if (!is_fish && text.p[i] == '\'')
			buf_append_cstr(out, "\\''");
	}
	buf_append_byte(out, '\'');
}

static void
append_cstr_quoted(struct buf *out, const char *text, bool is_fish)
{
	append_quoted(out, span_cstr(text), is_fish);
}

/* --- bash ------------------------------------------------------------------------------------- */

static const char *
kind_mark(enum candidate_kind kind)
{
	switch (kind) {
	case CANDIDATE_NONE:
	case CANDIDATE_WORDS:
		break;
	case CANDIDATE_ANY:
		return "@any";
	case CANDIDATE_FILE:
		return "@file";
	case CANDIDATE_DIR:
		return "@dir";
	}
	return "";
}

static void
bash_next(const struct invocation *v, struct buf *out)
{
	struct span prefix, word;
	const struct verb *verb;
	size_t at = 0;

	buf_append_cstr(out, "_lurkbot_next() {\n\tcase $1 in\n");
	while (candidates_next_prefix(v, &at, &prefix)) {
		size_t cursor = 0;

		buf_append_byte(out, '\t');
		append_quoted(out, prefix, false);
		buf_append_cstr(out, ") echo '");
		while (candidates_next_word(v, prefix, &cursor, &word, &verb))
			buf_printf(out, " %.*s", SPAN_ARGS(word));
		buf_append_cstr(out, "' ;;\n");
	}
	buf_append_cstr(out, "\t*) return 1 ;;\n\tesac\n}\n\n");
}

static void
bash_options(const struct invocation *v, struct buf *out)
{
	struct candidate c;

	buf_append_cstr(out, "_lurkbot_options() {\n\tcase $1 in\n");
	for (size_t i = 0; i < v->verb_count; i++) {
		size_t cursor = 0;

		buf_printf(out, "\t'%s') echo '", v->verbs[i].path);
		while (candidates_next(&v->verbs[i], &cursor, &c))
			buf_printf(out, " %s", c.name);
		buf_append_cstr(out, "' ;;\n");
	}
	buf_append_cstr(out, "\tesac\n}\n\n");
}

/* What may stand behind an option of a verb, as one word of a kind or as the words themselves. */
static void
append_values(struct buf *out, const struct candidate *c)
{
	if (c->kind == CANDIDATE_WORDS)
		candidates_words(c, out);
	else
		buf_append_cstr(out, kind_mark(c->kind));
}

static void
bash_values(const struct invocation *v, struct buf *out)
{
	struct candidate c;

	buf_append_cstr(out, "_lurkbot_values() {\n\tcase \"$1 $2\" in\n");
	for (size_t i = 0; i < v->verb_count; i++) {
		size_t cursor = 0;

		while (candidates_next(&v->verbs[i], &cursor, &c)) {
			if (c.kind == CANDIDATE_NONE)
				continue;
			buf_printf(out, "\t'%s %s'", v->verbs[i].path, c.name);
			if (c.letter != '\0')
				buf_printf(out, " | '%s -%c'", v->verbs[i].path, c.letter);
			buf_append_cstr(out, ") echo '");
			append_values(out, &c);
			buf_append_cstr(out, "' ;;\n");
		}
	}
	buf_append_cstr(out, "\tesac\n}\n\n");
}

static void
bash_operands(const struct invocation *v, struct buf *out)
{
	buf_append_cstr(out, "_lurkbot_operands() {\n\tcase $1 in\n");
	for (size_t i = 0; i < v->verb_count; i++) {
		struct buf words = { 0 };

		if (candidates_operand(&v->verbs[i], &words) == CANDIDATE_WORDS)
			buf_printf(out, "\t'%s') echo '%.*s' ;;\n", v->verbs[i].path,
			    SPAN_ARGS(buf_span(&words)));
		buf_fini(&words);
	}
	buf_append_cstr(out, "\tesac\n}\n\n");
}

/* bash takes "=" for a word of its own. */
static const char bash_function[] =
    "_lurkbot() {\n"
    "\tlocal current=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]}\n"
    "\tlocal verb='' i=1 words\n"
    "\tCOMPREPLY=()\n"
    "\twhile ((i < COMP_CWORD)) && _lurkbot_next \"$verb\" >/dev/null; do\n"
    "\t\tverb+=${verb:+ }${COMP_WORDS[i]}\n"
    "\t\t((i++))\n"
    "\tdone\n"
    "\tif words=$(_lurkbot_next \"$verb\"); then\n"
    "\t\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
    "\t\treturn\n"
    "\tfi\n"
    "\tif [ \"$current\" = = ]; then\n"
    "\t\tcurrent=''\n"
    "\telif [ \"$option\" = = ]; then\n"
    "\t\toption=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "\tfi\n"
    "\twords=$(_lurkbot_values \"$verb\" \"$option\")\n"
    "\tcase $words in\n"
    "\t@any) return ;;\n"
    "\t@file)\n"
    "\t\tcompopt -o filenames 2>/dev/null\n"
    "\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
    "\t\treturn\n"
    "\t\t;;\n"
    "\t@dir)\n"
    "\t\tcompopt -o filenames 2>/dev/null\n"
    "\t\tmapfile -t COMPREPLY < <(compgen -d -- \"$current\")\n"
    "\t\treturn\n"
    "\t\t;;\n"
    "\t'')\n"
    "\t\twords=$(_lurkbot_operands \"$verb\")\n"
    "\t\tcase $current in\n"
    "\t\t-*) words=$(_lurkbot_options \"$verb\") ;;\n"
    "\t\t*) [ -n \"$words\" ] || words=$(_lurkbot_options \"$verb\") ;;\n"
    "\t\tesac\n"
    "\t\t;;\n"
    "\tesac\n"
    "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
    "}\n\n"
    "complete -F _lurkbot lurkbot\n";

void
scripts_bash(const struct invocation *v, struct buf *out)
{
	buf_append_cstr(out, "# Completion of lurkbot's commands for bash, as printed by\n"
			     "# `lurkbot completion bash`.\n\n");
	bash_next(v, out);
	bash_options(v, out);
	bash_values(v, out);
	bash_operands(v, out);
	buf_append_cstr(out, bash_function);
}

/* --- zsh -------------------------------------------------------------------------------------- */

/* 'word:description', as _describe takes it. */
static void
zsh_row(struct buf *out, struct span word, const char *help)
{
	struct buf row = { 0 };

	buf_printf(&row, "%.*s:%s", SPAN_ARGS(word), help);
	buf_append_byte(out, ' ');
	append_quoted(out, buf_span(&row), false);
	buf_fini(&row);
}

static void
zsh_next(const struct invocation *v, struct buf *out)
{
	struct span prefix, word;
	const struct verb *verb;
	size_t at = 0;

	buf_append_cstr(out, "_lurkbot_next() {\n\tcase $1 in\n");
	while (candidates_next_prefix(v, &at, &prefix)) {
		size_t cursor = 0, whole;

		buf_append_byte(out, '\t');
		append_quoted(out, prefix, false);
		buf_append_cstr(out, ") next=(");
		while (candidates_next_word(v, prefix, &cursor, &word, &verb)) {
			whole = prefix.n + (prefix.n > 0) + word.n;
			zsh_row(out, word,
			    strlen(verb->path) == whole ? verb->help : "further commands");
		}
		buf_append_cstr(out, " ) ;;\n");
	}
	buf_append_cstr(out, "\t*) return 1 ;;\n\tesac\n}\n\n");
}

static void
zsh_options(const struct invocation *v, struct buf *out)
{
	struct candidate c;

	buf_append_cstr(out, "_lurkbot_options() {\n\tcase $1 in\n");
	for (size_t i = 0; i < v->verb_count; i++) {
		size_t cursor = 0;

		buf_printf(out, "\t'%s') next=(", v->verbs[i].path);
		while (candidates_next(&v->verbs[i], &cursor, &c))
			zsh_row(out, span_cstr(c.name), c.help);
		buf_append_cstr(out, " ) ;;\n");
	}
	buf_append_cstr(out, "\tesac\n}\n\n");
}

/* Not "path", which in zsh is PATH. */
static const char zsh_function[] = "_lurkbot() {\n"
				   "\tlocal verb='' option=${words[CURRENT-1]} value i=2\n"
				   "\tlocal -a next\n"
				   "\twhile (( i < CURRENT )) && _lurkbot_next \"$verb\"; do\n"
				   "\t\tverb+=${verb:+ }${words[i]}\n"
				   "\t\t(( i++ ))\n"
				   "\tdone\n"
				   "\tif _lurkbot_next \"$verb\"; then\n"
				   "\t\t_describe command next\n"
				   "\t\treturn\n"
				   "\tfi\n"
				   "\tif [[ ${words[CURRENT]} == --*=* ]]; then\n"
				   "\t\toption=${words[CURRENT]%%=*}\n"
				   "\t\tcompset -P '*='\n"
				   "\tfi\n"
				   "\tvalue=$(_lurkbot_values \"$verb\" \"$option\")\n"
				   "\tcase $value in\n"
				   "\t@any) return 1 ;;\n"
				   "\t@file) _files ;;\n"
				   "\t@dir) _files -/ ;;\n"
				   "\t'')\n"
				   "\t\tvalue=$(_lurkbot_operands \"$verb\")\n"
				   "\t\tif [[ -n $value && ${words[CURRENT]} != -* ]]; then\n"
				   "\t\t\tcompadd -- ${=value}\n"
				   "\t\telse\n"
				   "\t\t\tnext=()\n"
				   "\t\t\t_lurkbot_options \"$verb\"\n"
				   "\t\t\t_describe -o option next\n"
				   "\t\tfi\n"
				   "\t\t;;\n"
				   "\t*) compadd -- ${=value} ;;\n"
				   "\tesac\n"
				   "}\n\n"
				   "if [[ $funcstack[1] == _lurkbot ]]; then\n"
				   "\t_lurkbot \"$@\"\n"
				   "else\n"
				   "\tcompdef _lurkbot lurkbot\n"
				   "fi\n";

void
scripts_zsh(const struct invocation *v, struct buf *out)
{
	buf_append_cstr(out, "#compdef lurkbot\n"
			     "# Completion of lurkbot's commands for zsh, as printed by\n"
			     "# `lurkbot completion zsh`.\n\n");
	zsh_next(v, out);
	zsh_options(v, out);
	bash_values(v, out);
	bash_operands(v, out);
	buf_append_cstr(out, zsh_function);
}

/* --- fish ------------------------------------------------------------------------------------- */

static const char fish_functions[] =
    "# The words before the one that is typed, without the program and from the first option on.\n"
    "function __lurkbot_words\n"
    "    for word in (commandline -opc)[2..-1]\n"
    "        string match -q -- '-*' $word; and break\n"
    "        echo $word\n"
    "    end\n"
    "end\n"
    "function __lurkbot_at\n"
    "    set -l words (__lurkbot_words)\n"
    "    test \"$words\" = \"$argv\"\n"
    "end\n"
    "function __lurkbot_in\n"
    "    set -l words (__lurkbot_words)\n"
    "    string match -q -- \"$argv *\" \"$words \"\n"
    "end\n"
    "complete -c lurkbot -f\n";

static void
fish_next(const struct invocation *v, struct buf *out)
{
	struct span prefix, word;
	const struct verb *verb;
	size_t at = 0;

	while (candidates_next_prefix(v, &at, &prefix)) {
		size_t cursor = 0, whole;

		while (candidates_next_word(v, prefix, &cursor, &word, &verb)) {
			whole = prefix.n + (prefix.n > 0) + word.n;
			buf_printf(out,
			    "complete -c lurkbot -n '__lurkbot_at \"%.*s\"' -a %.*s -d ",
			    SPAN_ARGS(prefix), SPAN_ARGS(word));
			append_cstr_quoted(out,
			    strlen(verb->path) == whole ? verb->help : "further commands", true);
			buf_append_byte(out, '\n');
		}
	}
}

static void
fish_option(struct buf *out, const struct verb *verb, const struct candidate *c)
{
	buf_printf(out, "complete -c lurkbot -n '__lurkbot_in %s' -l %s", verb->path, c->name + 2);
	if (c->letter != '\0')
		buf_printf(out, " -s %c", c->letter);
	if (c->kind == CANDIDATE_FILE)
		buf_append_cstr(out, " -r -F");
	else if (c->kind == CANDIDATE_DIR)
		buf_append_cstr(out, " -x -a '(__fish_complete_directories)'");
	else if (c->kind != CANDIDATE_NONE)
		buf_append_cstr(out, " -x");
	if (c->kind == CANDIDATE_WORDS) {
		buf_append_cstr(out, " -a '");
		candidates_words(c, out);
		buf_append_byte(out, '\'');
	}
	buf_append_cstr(out, " -d ");
	append_cstr_quoted(out, c->help, true);
	buf_append_byte(out, '\n');
}

void
scripts_fish(const struct invocation *v, struct buf *out)
{
	struct candidate c;

	buf_append_cstr(out, "# Completion of lurkbot's commands for fish, as printed by\n"
			     "# `lurkbot completion fish`.\n\n");
	buf_append_cstr(out, fish_functions);
	fish_next(v, out);
	for (size_t i = 0; i < v->verb_count; i++) {
		struct buf words = { 0 };
		size_t cursor = 0;

		if (candidates_operand(&v->verbs[i], &words) == CANDIDATE_WORDS)
			buf_printf(out, "complete -c lurkbot -n '__lurkbot_at \"%s\"' -a '%.*s'\n",
			    v->verbs[i].path, SPAN_ARGS(buf_span(&words)));
		buf_fini(&words);
		while (candidates_next(&v->verbs[i], &cursor, &c))
			fish_option(out, &v->verbs[i], &c);
	}
}
