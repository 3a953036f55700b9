/*
 * Where there is no manager the lock file tells how the last gateway ended: a clean stop leaves it
 * empty, so one that names a process which is gone was left by one that was killed.
 */
#include "cli/checkservice.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "cli/checkup.h"
#include "cli/client.h"
#include "cli/endpoint.h"
#include "cli/findings.h"
#include "conf/data.h"
#include "conf/readfile.h"
#include "sys/paths.h"

enum { ANSWER_MS = 5000, EXIT_CONFIGURATION = 2 };

#define LINGER "/var/lib/systemd/linger/"

/* --- installed -------------------------------------------------------------------------------- */

/* Whether the user's services outlive the session; nobody's business but a user's own. */
static bool
lingers(void)
{
	const struct passwd *me = getpwuid(getuid());
	struct buf path = { 0 };
	bool is_there;

	if (getuid() == 0 || me == NULL)
		return true;
	buf_printf(&path, LINGER "%s", me->pw_name);
	buf_append_byte(&path, '\0');
	is_there = buf_status(&path) == 0 && access(path.data, F_OK) == 0;
	buf_fini(&path);
	return is_there;
}

static void
check_missing(const struct checkup *c, struct findings *f)
{
	bool is_bad = c->service.has_manager && c->pid == 0;

	findings_add(f, is_bad ? FINDING_ERROR : FINDING_WARNING, "installed",
	    "lurkbot daemon install", "there is no %s", c->service.path);
}

static void
check_manager(const struct checkup *c, struct findings *f)
{
	if (!c->service.has_manager)
		findings_add(f, FINDING_WARNING, "installed",
		    "start it at boot by other means: lurkbot daemon start",
		    "%s, but no systemd of this user watches over it: %.*s", c->service.path,
		    SPAN_ARGS(buf_span(&c->service.why_not)));
	else if (strcmp(c->state.enabled, "enabled") != 0)
		findings_add(f, FINDING_WARNING, "installed", "lurkbot daemon install",
		    "%s is not enabled: it does not start by itself", c->service.path);
	else if (!lingers())
		findings_add(f, FINDING_WARNING, "installed", "loginctl enable-linger",
		    "%s, enabled; but it ends when you log out", c->service.path);
	else
		findings_add(f, FINDING_OK, "installed", NULL, "%s, enabled", c->service.path);
}

void
checkservice_installed(const struct checkup *c, struct findings *f)
{
	const struct service *s = &c->service;

	if (!s->is_installed)
		check_missing(c, f);
	else if (s->fault != 0)
		findings_add(f, FINDING_ERROR, "installed", "remove it; lurkbot daemon install",
		    "%s does not start a gateway: %s", s->path, strerror(-s->fault));
	else if (access(s->unit.words[0], X_OK) != 0)
		findings_add(f, FINDING_ERROR, "installed",
		    "lurkbot daemon install, by the program that it is to start",
		    "%s starts %s, which cannot be run: %s", s->path, s->unit.words[0],
		    strerror(errno));
	else
		check_manager(c, f);
}

/* --- running ---------------------------------------------------------------------------------- */

/* Says hello's first half to the gateway by its socket, where nobody else listens. */
static bool
answers(const struct checkup *c, char why[CLIENT_WHY_MAX])
{
	char *path = paths_socket(c->service.home);
	struct endpoint endpoint = { 0 };
	struct client client;
	enum cli_status status = CLI_FAILED;

	client_init(&client);
	if (path != NULL && endpoint_from_socket(&endpoint, path) == 0)
		status = client_open(&client, &endpoint, NULL, clock_mono_ms() + ANSWER_MS);
	snprintf(why, CLIENT_WHY_MAX, "%s", client.why);
	client_close(&client);
	endpoint_fini(&endpoint);
	mem_free(path);
	return status == CLI_OK;
}

static void
check_stopped(const struct checkup *c, struct findings *f)
{
	if (c->is_held)
		findings_add(f, FINDING_ERROR, "running", "lurkbot daemon start, in some seconds",
		    "processes of a gateway that is gone are still ending");
	else if (strcmp(c->state.active, "activating") == 0)
		findings_add(f, FINDING_ERROR, "running", "see what the next checks say",
		    "systemd starts it again and again");
	else
		findings_add(f, FINDING_ERROR, "running", "lurkbot daemon start",
		    "no gateway of %s runs", c->service.home);
}

void
checkservice_running(const struct checkup *c, struct findings *f)
{
	char why[CLIENT_WHY_MAX];

	if (c->pid == 0)
		check_stopped(c, f);
	else if (!answers(c, why))
		findings_add(f, FINDING_ERROR, "running", "lurkbot daemon restart",
		    "it runs (pid %d), but does not answer: %s", (int)c->pid, why);
	else if (c->service.has_manager && c->state.pid == 0)
		findings_add(f, FINDING_WARNING, "running",
		    "lurkbot gateway stop; lurkbot daemon start",
		    "it runs (pid %d), but was started by hand: systemd does not watch over it",
		    (int)c->pid);
	else
		findings_add(
		    f, FINDING_OK, "running", NULL, "it runs (pid %d) and answers", (int)c->pid);
}

/* --- last exit -------------------------------------------------------------------------------- */

/* Whether the lock file still names a process that does not hold the lock any more. */
static bool
was_killed(const struct checkup *c)
{
	char *lock = paths_lock(c->service.home);
	struct buf text = { 0 };
	bool names_one;

	names_one = lock != NULL && readfile(lock, &text) == 0 && text.len > 0;
	buf_fini(&text);
	mem_free(lock);
	return names_one && c->pid == 0;
}

static void
check_result(const struct manager_state *s, struct findings *f)
{
	const char *advice = s->exit_status == EXIT_CONFIGURATION
				 ? "lurkbot gateway config check"
				 : "journalctl --user -u " UNIT_NAME;

	if (s->result[0] != '\0' && strcmp(s->result, "success") != 0)
		findings_add(f, FINDING_ERROR, "last exit", advice,
		    "systemd says %s, status %d, after %u restarts", s->result, s->exit_status,
		    s->restarts);
	else if (s->restarts > 0)
		findings_add(f, FINDING_WARNING, "last exit", advice,
		    "systemd had to start it again %u times", s->restarts);
	else
		findings_add(f, FINDING_OK, "last exit", NULL, "nothing went wrong");
}

void
checkservice_last_exit(const struct checkup *c, struct findings *f)
{
	if (c->service.has_manager)
		check_result(&c->state, f);
	else if (was_killed(c))
		findings_add(f, FINDING_ERROR, "last exit", "lurkbot gateway logs",
		    "the last gateway was not stopped: it was killed, or it crashed");
	else
		findings_add(f, FINDING_OK, "last exit", NULL, "nothing went wrong");
}

/* --- configuration ---------------------------------------------------------------------------- */

static bool
is_loopback(const char *host)
{
	return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 ||
	       strcmp(host, "localhost") == 0;
}

void
checkservice_configuration(const struct checkup *c, struct findings *f)
{
	const struct conf_gateway *g = c->conf != NULL ? &c->conf->gateway : NULL;

	if (g == NULL)
		findings_add(f, FINDING_ERROR, "configuration", "lurkbot gateway config check",
		    "%zu error%s: %.*s", c->fault_count, c->fault_count == 1 ? "" : "s, the first",
		    SPAN_ARGS(buf_span(&c->fault)));
	else if (!is_loopback(g->host) && !g->auth_enabled && !g->allow_unauthenticated)
		findings_add(f, FINDING_WARNING, "configuration",
		    "lurkbot gateway token generate; set gateway.auth_tokens and auth_enabled",
		    "it listens on %s without authentication: other machines are turned away",
		    g->host);
	else
		findings_add(f, FINDING_OK, "configuration", NULL, "it is valid");
}
