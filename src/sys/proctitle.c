/*
 * Why this file exists: the kernel shows as a process's command line whatever stands between the
 * addresses where it once put argv, so a title is written there. Together with the environment,
 * which lies right behind, there is room enough:
 *
 *	argv[0]\0 argv[1]\0 … argv[n]\0 VAR=…\0 VAR=…\0
 *	└─────────────── area ───────────────────────┘
 *
 * What is not covered by the title is kept zero.
 */
#include "sys/proctitle.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/alloc.h"

static size_t
count_strings(char *const *strings)
{
	size_t n = 0;

	while (strings[n] != NULL)
		n++;
	return n;
}

static void
free_strings(char **strings)
{
	for (size_t i = 0; strings != NULL && strings[i] != NULL; i++)
		mem_free(strings[i]);
	mem_free(strings);
}

static char **
copy_strings(char *const *strings)
{
	size_t n = count_strings(strings);
	char **copy;

	copy = mem_array(n + 1, sizeof(*copy));
	for (size_t i = 0; copy != NULL && i < n; i++) {
		copy[i] = mem_strndup(span_cstr(strings[i]));
		if (copy[i] == NULL) {
			free_strings(copy);
			return NULL;
		}
	}
	return copy;
}

/* Another array of the same strings. */
static char **
copy_array(char *const *strings)
{
	size_t n = strings != NULL ? count_strings(strings) : 0;
	char **copy = mem_array(n + 1, sizeof(*copy));

	for (size_t i = 0; copy != NULL && i < n; i++)
		copy[i] = strings[i];
	return copy;
}

/* The end of the run of adjacent strings that begins at END. */
static char *
extend_area(char *end, char *const *strings)
{
	for (size_t i = 0; strings[i] != NULL && strings[i] == end; i++)
		end += strlen(end) + 1;
	return end;
}

void
proctitle_init(struct proctitle *title, int argc, char **argv)
{
	char *begin, *end;

	memset(title, 0, sizeof(*title));
	if (argc < 1 || argv[0] == NULL)
		return;
	title->argv_copy = copy_strings(argv);
	title->environ_copy = copy_strings(environ);
	title->environ_array = copy_array(title->environ_copy);
	title->name_copy = mem_strndup(span_cstr(program_invocation_name));
	if (title->argv_copy == NULL || title->environ_copy == NULL ||
	    title->environ_array == NULL || title->name_copy == NULL) {
		free_strings(title->argv_copy);
		free_strings(title->environ_copy);
		mem_free(title->environ_array);
		mem_free(title->name_copy);
		memset(title, 0, sizeof(*title));
		return;
	}
	begin = argv[0];
	end = extend_area(begin, argv);
	end = extend_area(end, environ);
	title->area = begin;
	title->size = (size_t)(end - begin);
	for (int i = 0; i < argc; i++)
		argv[i] = title->argv_copy[i];
	environ = title->environ_array;
	program_invocation_short_name =
	    title->name_copy + (program_invocation_short_name - program_invocation_name);
	program_invocation_name = title->name_copy;
}

void
proctitle_set(struct proctitle *title, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	(void)prctl(PR_SET_NAME, text);
	if (title->area == NULL)
		return;
	memset(title->area, 0, title->size);
	/* The last byte stays zero: it is what tells the kernel where to stop. */
	memcpy(title->area, text, min_size(strlen(text), title->size - 1));
}

void
proctitle_fini(struct proctitle *title)
{
	if (title->environ_array != NULL && environ == title->environ_array)
		environ = NULL;
	free_strings(title->argv_copy);
	free_strings(title->environ_copy);
	mem_free(title->environ_array);
	mem_free(title->name_copy);
	memset(title, 0, sizeof(*title));
}
