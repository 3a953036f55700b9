/*
 * What is printed comes from conf; here is only the form of it.
 */
#include "cli/showconf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/jsonw.h"
#include "cli/arguments.h"
#include "cli/invocation.h"
#include "cli/output.h"
#include "cli/setup.h"
#include "conf/locate.h"
#include "sys/paths.h"

enum { FILES_MAX = 4, COLUMN = 11 };

/* {"valid":BOOL,"errors":["..."]} */
static enum cli_status
print_report_json(const struct conf_report *report)
{
	struct buf text = { 0 };
	struct span line;
	size_t cursor = 0;
	struct jsonw w;

	jsonw_init(&w, &text);
	jsonw_object(&w);
	jsonw_key(&w, "valid");
	jsonw_bool(&w, report->count == 0);
	jsonw_key(&w, "errors");
	jsonw_array(&w);
	while (conf_report_next(report, &cursor, &line))
		jsonw_str(&w, line);
	jsonw_array_end(&w);
	jsonw_object_end(&w);
	buf_append_byte(&text, '\n');
	return output_take(&text);
}

static enum cli_status
print_report(const struct conf_report *report)
{
	if (report->count == 0) {
		printf("Configuration is valid\n");
		return CLI_OK;
	}
	fprintf(stderr, "%.*s", SPAN_ARGS(buf_span(&report->text)));
	output_error(
	    "%zu error%s in the configuration", report->count, report->count > 1 ? "s" : "");
	return CLI_OK;
}

enum cli_status
showconf_check(const struct invocation *invocation)
{
	const struct conf_request request = setup_request(invocation);
	enum cli_status status = CLI_FAILED;
	struct conf_report report;
	struct conf *conf = NULL;
	int rc = conf_load(&request, &conf, &report);

	if (rc != 0 && rc != -EINVAL)
		output_error("%s", strerror(-rc));
	else if (arguments_has(invocation->arguments, OPTION_JSON))
		status = print_report_json(&report);
	else
		status = print_report(&report);
	if (status == CLI_OK && rc != 0)
		status = CLI_USAGE;
	if (rc == 0)
		conf_free(conf);
	conf_report_fini(&report);
	return status;
}

enum cli_status
showconf_show(const struct invocation *invocation)
{
	const struct arguments *a = invocation->arguments;
	bool with_sources = arguments_has(a, OPTION_SOURCES);
	struct buf text = { 0 };
	struct conf *conf;
	enum cli_status status = setup_load(invocation, &conf);

	if (status != CLI_OK)
		return status;
	if (arguments_has(a, OPTION_JSON)) {
		conf_write_compact(conf, &text, with_sources);
		buf_append_byte(&text, '\n');
	} else {
		conf_write(conf, &text, with_sources);
	}
	conf_free(conf);
	return output_take(&text);
}

/* --- files ------------------------------------------------------------------------------------ */

/* Whether the file is there and can be read. */
static const char *
file_state(const char *path)
{
	if (access(path, R_OK) == 0)
		return "read";
	return errno == ENOENT || errno == ENOTDIR ? "missing" : "unreadable";
}

static void
print_files(char *const *files, size_t count)
{
	for (size_t i = 0; i < count; i++)
		printf("%-*s%s\n", COLUMN, file_state(files[i]), files[i]);
}

static enum cli_status
print_files_json(const char *home, char *const *files, size_t count)
{
	struct buf text = { 0 };
	struct jsonw w;

	jsonw_init(&w, &text);
	jsonw_object(&w);
	jsonw_key(&w, "home");
	jsonw_cstr(&w, home);
	jsonw_key(&w, "files");
	jsonw_array(&w);
	for (size_t i = 0; i < count; i++) {
		jsonw_object(&w);
		jsonw_key(&w, "path");
		jsonw_cstr(&w, files[i]);
		jsonw_key(&w, "state");
		jsonw_cstr(&w, file_state(files[i]));
		jsonw_object_end(&w);
	}
	jsonw_array_end(&w);
	jsonw_object_end(&w);
	buf_append_byte(&text, '\n');
	return output_take(&text);
}

/* The files in the order in which they are read. False without memory. */
static bool
list_files(const char *config, const char *home, char *files[FILES_MAX], size_t *ret_count)
{
	size_t n = 0;

	if (config != NULL) {
		if (locate_absolute(environ, span_cstr(config), &files[n]) != 0)
			files[n] = mem_strndup(span_cstr(config));
		n++;
	} else {
		files[n++] = mem_strndup(SPAN("/etc/lurkbot/config.json"));
		files[n++] = paths_join(home, "config.json");
	}
	files[n++] = paths_join(home, ".env");
	*ret_count = n;
	for (size_t i = 0; i < n; i++) {
		if (files[i] == NULL)
			return false;
	}
	return true;
}

enum cli_status
showconf_path(const struct invocation *invocation)
{
	const struct arguments *a = invocation->arguments;
	char *files[FILES_MAX];
	size_t count = 0;
	char *home;
	enum cli_status status = setup_home(&home);

	if (status != CLI_OK)
		return status;
	if (!list_files(arguments_text(a, OPTION_CONFIG), home, files, &count)) {
		output_error("out of memory");
		status = CLI_FAILED;
	} else if (arguments_has(a, OPTION_JSON)) {
		status = print_files_json(home, files, count);
	} else {
		print_files(files, count);
	}
	for (size_t i = 0; i < count; i++)
		mem_free(files[i]);
	mem_free(home);
	return status;
}
