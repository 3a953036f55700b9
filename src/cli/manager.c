/*
 * systemctl is asked and not the bus: that it works is what a person would try, and what it says
 * when it does not is what he would read.
 */
#include "cli/manager.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/parse.h"
#include "cli/command.h"
#include "cli/jsonprint.h"
#include "cli/output.h"
#include "cli/unit.h"

enum { ASK_MS = 30000, ACT_MS = 180000 }; /* starting waits for READY, stopping for the drain */

/* The first line of what a program said, fit for a terminal. */
static void
append_first_line(struct buf *out, const struct buf *said)
{
	const char *end = said->len > 0 ? memchr(said->data, '\n', said->len) : NULL;

	jsonprint_plain(
	    out, span_make(said->data, end != NULL ? (size_t)(end - said->data) : said->len));
}

bool
manager_is_there(struct buf *ret_why)
{
	static const char *const argv[] = { "systemctl", "--user", "show", "--property=Version",
		NULL };
	struct command_result result;
	int r = command_run(argv, ASK_MS, &result);
	bool is_there = r == 0 && result.status == 0;

	if (r == -ENOENT)
		buf_append_cstr(ret_why, "there is no systemctl");
	else if (r != 0)
		buf_printf(ret_why, "systemctl: %s", strerror(-r));
	else if (!is_there && access("/run/systemd/system", F_OK) != 0)
		buf_append_cstr(ret_why, "systemd does not run on this machine");
	else if (!is_there)
		append_first_line(ret_why, &result.err);
	command_fini(&result);
	return is_there;
}

static void
tell_failure(const char *verb, int r, const struct command_result *result)
{
	struct buf text = { 0 };

	jsonprint_plain(&text, span_make(result->err.data, min_size(result->err.len, 1024)));
	if (r != 0)
		output_error("systemctl --user %s: %s", verb, strerror(-r));
	else
		output_error("systemctl --user %s failed (status %d)%s%.*s", verb, result->status,
		    text.len > 0 ? ": " : "", SPAN_ARGS(buf_span(&text)));
	buf_fini(&text);
}

enum cli_status
manager_do(const char *verb, const char *unit)
{
	const char *const argv[] = { "systemctl", "--user", verb, unit, NULL };
	struct command_result result;
	int r = command_run(argv, ACT_MS, &result);
	enum cli_status status = r == 0 && result.status == 0 ? CLI_OK : CLI_FAILED;

	if (status != CLI_OK)
		tell_failure(verb, r, &result);
	command_fini(&result);
	return status;
}

/* --- what it knows ---------------------------------------------------------------------------- */

static void
keep_word(char place[MANAGER_WORD_MAX], struct span value)
{
	size_t n = min_size(value.n, MANAGER_WORD_MAX - 1);

	memcpy(place, value.p, n);
	place[n] = '\0';
}

static unsigned
number_of(struct span value)
{
	uint64_t number = 0;

	return parse_u64(value, INT32_MAX, &number) == 0 ? (unsigned)number : 0;
}

static void
read_property(struct manager_state *s, struct span name, struct span value)
{
	if (span_is(name, "ActiveState"))
		keep_word(s->active, value);
	else if (span_is(name, "UnitFileState"))
		keep_word(s->enabled, value);
	else if (span_is(name, "Result"))
		keep_word(s->result, value);
	else if (span_is(name, "MainPID"))
		s->pid = (pid_t)number_of(value);
	else if (span_is(name, "ExecMainStatus"))
		s->exit_status = (int)number_of(value);
	else if (span_is(name, "NRestarts"))
		s->restarts = number_of(value);
}

static void
read_properties(struct manager_state *s, struct span text)
{
	while (text.n > 0) {
		const char *end = memchr(text.p, '\n', text.n);
		size_t n = end != NULL ? (size_t)(end - text.p) : text.n;
		const char *equals = memchr(text.p, '=', n);

		if (equals != NULL) {
			size_t name = (size_t)(equals - text.p);

			read_property(
			    s, span_make(text.p, name), span_make(equals + 1, n - name - 1));
		}
		text = span_skip(text, min_size(n + 1, text.n));
	}
}

int
manager_show(struct manager_state *ret)
{
	static const char *const argv[] = { "systemctl", "--user", "show",
		"--property=ActiveState,UnitFileState,Result,MainPID,ExecMainStatus,NRestarts",
		UNIT_NAME, NULL };
	struct command_result result;
	int r = command_run(argv, ASK_MS, &result);

	if (r == 0 && result.status != 0)
		r = -EPROTO;
	*ret = (struct manager_state){ 0 };
	if (r == 0)
		read_properties(ret, buf_span(&result.out));
	command_fini(&result);
	return r;
}

int
manager_last_error(struct buf *out)
{
	static const char *const argv[] = { "journalctl", "--user", "--quiet", "--no-pager",
		"--user-unit=" UNIT_NAME, "--priority=err", "--since=-24h", "--lines=1",
		"--output=cat", NULL };
	struct command_result result;
	int r = command_run(argv, ASK_MS, &result);

	if (r == 0 && result.status != 0)
		r = -EPROTO;
	if (r == 0)
		append_first_line(out, &result.out);
	command_fini(&result);
	return r;
}
