/*
 * The file is read here and not asked of the gateway, so it can be read when nothing runs: that is
 * when one wants to know why. Lines are printed whole. Where there is no file, or the gateway is
 * somewhere else, it is asked (cli/logtail).
 */
#include "cli/logs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/jsonw.h"
#include "cli/arguments.h"
#include "cli/dial.h"
#include "cli/interrupt.h"
#include "cli/invocation.h"
#include "cli/logfile.h"
#include "cli/logtail.h"
#include "cli/output.h"
#include "cli/setup.h"
#include "proto/json.h"

enum { LINES_DEFAULT = 50, LOOK_AGAIN_MS = 200 };

struct printer {
	struct buf pending; /* read, but not yet printed: the beginning of a line */
	bool as_json;
};

/* A line of the JSON format is printed as it is, another as {"line":"..."}. */
static void
print_line(const struct printer *p, struct span line)
{
	struct json_fault fault;
	struct buf text = { 0 };
	struct jsonw w;

	if (!p->as_json || (line.n > 0 && line.p[0] == '{' && json_validate(line, &fault) == 0)) {
		fwrite(line.p, 1, line.n, stdout);
		putchar('\n');
		return;
	}
	jsonw_init(&w, &text);
	jsonw_object(&w);
	jsonw_key(&w, "line");
	jsonw_str(&w, line);
	jsonw_object_end(&w);
	buf_append_byte(&text, '\n');
	(void)output_take(&text);
}

/* Prints the whole lines of what was read; with is_last also what stands behind them. */
static void
print_lines(struct printer *p, bool is_last)
{
	size_t done = 0;

	while (done < p->pending.len) {
		const char *begin = p->pending.data + done;
		const char *end = memchr(begin, '\n', p->pending.len - done);

		if (end == NULL && !is_last)
			break;
		if (end == NULL)
			end = p->pending.data + p->pending.len;
		print_line(p, span_make(begin, (size_t)(end - begin)));
		done = (size_t)(end - p->pending.data) + 1;
	}
	buf_consume(&p->pending, min_size(done, p->pending.len));
}

/* Prints what is there now. 0 or -errno. */
static int
print_available(struct logfile *log, struct printer *p)
{
	int rc;

	do {
		rc = logfile_read(log, &p->pending);
		print_lines(p, false);
	} while (rc > 0 && ferror(stdout) == 0);
	return rc;
}

static enum cli_status
fail_reading(const char *path, int rc)
{
	output_error("%s: %s", path, strerror(-rc));
	return CLI_FAILED;
}

static enum cli_status
follow(struct logfile *log, struct printer *p)
{
	struct interrupt interrupt;
	int rc = interrupt_open(&interrupt);

	if (rc != 0)
		return fail_reading("signals", rc);
	while (interrupt_wait(&interrupt, -1, LOOK_AGAIN_MS) != INTERRUPT_END) {
		rc = print_available(log, p);
		if (rc == 0)
			rc = logfile_renew(log);
		if (rc > 0)
			print_lines(p, true);
		if (rc < 0)
			break;
	}
	interrupt_close(&interrupt);
	return rc < 0 ? fail_reading(log->path, rc) : CLI_OK;
}

static void
on_line(void *arg, struct span line)
{
	print_line(arg, line);
}

/* The gateway itself is asked. */
static enum cli_status
print_told(const struct invocation *invocation, bool is_last_resort)
{
	const struct arguments *a = invocation->arguments;
	struct printer p = { .as_json = arguments_has(a, OPTION_JSON) };
	const struct logtail tail = {
		.lines = arguments_number(a, OPTION_LINES, LINES_DEFAULT),
		.follows = arguments_has(a, OPTION_FOLLOW),
		.print = on_line,
		.arg = &p,
	};

	return logtail_run(invocation, &tail, is_last_resort);
}

/* There is no file: under systemd the log goes to the journal. Who runs can tell all the same. */
static enum cli_status
print_without_file(const struct invocation *invocation, const char *path)
{
	enum cli_status status = print_told(invocation, true);

	return status == CLI_UNREACHABLE ? fail_reading(path, -ENOENT) : status;
}

static enum cli_status
print_log(const struct invocation *invocation, const char *path)
{
	const struct arguments *a = invocation->arguments;
	bool follows = arguments_has(a, OPTION_FOLLOW);
	struct printer p = { .as_json = arguments_has(a, OPTION_JSON) };
	struct logfile log;
	enum cli_status status = CLI_OK;
	int rc = logfile_open(&log, path, arguments_number(a, OPTION_LINES, LINES_DEFAULT));

	if (rc == 0)
		rc = print_available(&log, &p);
	if (rc != 0 && !(rc == -ENOENT && follows))
		status = fail_reading(path, rc);
	else if (follows)
		status = follow(&log, &p);
	if (status == CLI_OK)
		print_lines(&p, true);
	logfile_close(&log);
	buf_fini(&p.pending);
	return status;
}

enum cli_status
logs_run(const struct invocation *invocation)
{
	const char *path = arguments_text(invocation->arguments, OPTION_LOG_FILE);
	struct conf *conf;
	enum cli_status status;

	if (path != NULL)
		return print_log(invocation, path);
	if (!dial_is_local(invocation->arguments))
		return print_told(invocation, false);
	status = setup_load(invocation, &conf);
	if (status != CLI_OK)
		return status;
	if (access(conf->gateway.log_file, F_OK) != 0 && errno == ENOENT &&
	    !arguments_has(invocation->arguments, OPTION_FOLLOW))
		status = print_without_file(invocation, conf->gateway.log_file);
	else
		status = print_log(invocation, conf->gateway.log_file);
	conf_free(conf);
	return status;
}
