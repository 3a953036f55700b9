/*
 * The way from argv to a verb's function, and what all verbs have in common: help, usage errors,
 * and that output which could not be written counts as a failure.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "cli/arguments.h"
#include "cli/help.h"
#include "cli/invocation.h"
#include "cli/status.h"
#include "cli/verbs.h"
#include "config.h"

static void
print(FILE *to, struct buf *text)
{
	if (text->len > 0)
		fwrite(text->data, 1, text->len, to);
	buf_fini(text);
}

static int
fail_usage(const char *path, struct buf *fault)
{
	fprintf(stderr, "lurkbot %s: ", path);
	buf_append_byte(fault, '\n');
	print(stderr, fault);
	fprintf(stderr, "Try \"lurkbot %s --help\".\n", path);
	return CLI_USAGE;
}

/* The function takes over the arguments. */
static int
run_verb(const struct verb *verb, const struct invocation *invocation)
{
	struct buf text = { 0 };

	if (arguments_has(invocation->arguments, OPTION_HELP)) {
		help_verb(&text, verb);
		print(stdout, &text);
		return CLI_OK;
	}
	if (verb->syntax.operand != NULL && invocation->arguments->operand == NULL) {
		buf_printf(&text, "%s is missing", verb->syntax.operand);
		return fail_usage(verb->path, &text);
	}
	return (int)verb->run(invocation);
}

/* brought is what main gave along; the arguments are added to it here. */
static int
parse_and_run(const struct verb *verb, int argc, char **argv, const struct invocation *brought)
{
	struct invocation invocation = *brought;
	struct arguments arguments;
	struct buf fault = { 0 };
	int rc = arguments_parse(&arguments, &verb->syntax, argc, argv, &fault);
	int status;

	invocation.arguments = &arguments;
	if (rc == -ENOMEM) {
		fprintf(stderr, "lurkbot: out of memory\n");
		status = CLI_FAILED;
	} else if (rc != 0) {
		status = fail_usage(verb->path, &fault);
	} else {
		status = run_verb(verb, &invocation);
	}
	buf_fini(&fault);
	arguments_fini(&arguments);
	return status;
}

/* No verb begins like this: known is how many words are right. */
static int
fail_unknown(int argc, char **argv, int known)
{
	const char *near = verbs_suggest(argc, argv);
	struct buf text = { 0 };

	if (argv[known][0] == '-')
		fprintf(
		    stderr, "lurkbot: unknown option %s; options follow the verb\n", argv[known]);
	else
		fprintf(stderr, "lurkbot: unknown verb \"%s\"\n", argv[known]);
	if (near != NULL) {
		fprintf(stderr, "Did you mean \"lurkbot %s\"?\n", near);
		return CLI_USAGE;
	}
	help_list(&text, argv, known);
	print(stderr, &text);
	return CLI_USAGE;
}

static bool
is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

/* The words do not name a verb, but perhaps a group of them. */
static int
run_without_verb(int argc, char **argv, int known)
{
	struct buf text = { 0 };

	if (known < argc && !is_help(argv[known])) {
		if (known > 0 || strcmp(argv[0], "--version") != 0)
			return fail_unknown(argc, argv, known);
		printf("lurkbot %s\n", LURKBOT_VERSION);
		return CLI_OK;
	}
	help_list(&text, argv, known);
	print(known < argc ? stdout : stderr, &text);
	return known < argc ? CLI_OK : CLI_USAGE;
}

/* What was printed may still be on its way to a full disk. */
static int
finish_output(int status)
{
	const char *why = ferror(stdout) ? "an earlier write failed" : NULL;

	if (fflush(stdout) != 0)
		why = strerror(errno);
	if (why == NULL)
		return status;
	fprintf(stderr, "lurkbot: cannot write to standard output: %s\n", why);
	return status == CLI_OK ? CLI_FAILED : status;
}

int
cli_main(int argc, char **argv, const struct supervisor_program *program, struct proctitle *title)
{
	struct invocation invocation = {
		.program = program, .title = title, .verbs = verbs, .verb_count = verbs_count()
	};
	const struct verb *verb;
	int used, status;

	if (argc > 0) {
		argc--;
		argv++;
	}
	verb = verbs_find(argc, argv, &used);
	if (verb != NULL)
		status = parse_and_run(verb, argc - used, argv + used, &invocation);
	else
		status = run_without_verb(argc, argv, used);
	return finish_output(status);
}
