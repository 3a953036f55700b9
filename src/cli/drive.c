/*
 * With a manager it alone starts and stops, so that it knows; without one these verbs are those of
 * `lurkbot gateway`, with the options of the unit.
 */
#include "cli/drive.h"

#include <stdio.h>
#include <string.h>

#include "base/jsonw.h"
#include "cli/manager.h"
#include "cli/output.h"
#include "cli/service.h"
#include "cli/start.h"
#include "cli/stop.h"
#include "cli/stopper.h"

/* What is known of a service that one looks at. */
struct view {
	struct manager_state state; /* zeroed without a manager */
	pid_t pid;		    /* who holds the lock; 0: nobody */
	bool is_running;
};

void
drive_say_why(const struct service *s)
{
	fprintf(stderr,
	    "lurkbot: no systemd of this user (%.*s): the gateway is a daemon of its own, as by "
	    "\"lurkbot gateway start --daemon\", and does not come back by itself\n",
	    SPAN_ARGS(buf_span(&s->why_not)));
}

static pid_t
holder_of(const struct service *s)
{
	pid_t pid = 0;

	return stopper_find(s->home, &pid) == 0 ? pid : 0;
}

bool
drive_is_running(const struct service *s)
{
	return holder_of(s) != 0;
}

/* Runs the function of a `gateway` verb with the options of the unit. */
static enum cli_status
run_by_hand(const struct service *s, const struct invocation *invocation,
    enum cli_status (*verb)(const struct invocation *))
{
	struct buf fault = { 0 };
	struct service_start start;
	enum cli_status status = CLI_USAGE;
	int r = service_start_read(&start, &s->unit, invocation, &fault);

	drive_say_why(s);
	if (r == 0)
		status = verb(&start.invocation);
	else
		output_error("%s: %s: %.*s", s->path, strerror(-r), SPAN_ARGS(buf_span(&fault)));
	service_start_fini(&start);
	buf_fini(&fault);
	return status;
}

/* Whether there is something to drive; prints what is wrong. */
static enum cli_status
check_installed(const struct service *s)
{
	if (s->is_installed && s->fault != 0) {
		output_error(
		    "%s does not start a gateway (%s): \"lurkbot daemon install\" writes it "
		    "anew",
		    s->path, strerror(-s->fault));
		return CLI_FAILED;
	}
	if (!s->is_installed && s->has_manager) {
		output_error("Not installed: \"lurkbot daemon install\" does that");
		return CLI_FAILED;
	}
	return CLI_OK;
}

/* A gateway that somebody started by hand holds the lock, and the unit could not start. */
static enum cli_status
check_free(const struct service *s)
{
	struct manager_state state;
	pid_t pid = holder_of(s);

	if (pid == 0 || manager_show(&state) != 0 || state.pid != 0)
		return CLI_OK;
	output_error("A gateway that was started by hand runs already (pid %d): "
		     "\"lurkbot gateway stop\" ends it",
	    (int)pid);
	return CLI_FAILED;
}

static enum cli_status
act(const struct service *s, const char *verb, const char *done)
{
	enum cli_status status = manager_do(verb, UNIT_NAME);

	if (status == CLI_OK)
		printf("%s\n", done);
	else
		fprintf(stderr,
		    "\"lurkbot daemon diagnose\" looks for the reason; the log of %s is "
		    "in journalctl --user -u %s\n",
		    s->home, UNIT_NAME);
	return status;
}

enum cli_status
drive_start(const struct invocation *invocation)
{
	struct service s;
	enum cli_status status = service_open(&s, true);

	if (status == CLI_OK)
		status = check_installed(&s);
	if (status == CLI_OK && s.has_manager)
		status = check_free(&s);
	if (status == CLI_OK && s.has_manager)
		status = act(&s, "start", "Gateway started, by systemd");
	else if (status == CLI_OK)
		status = run_by_hand(&s, invocation, start_run);
	service_close(&s);
	return status;
}

enum cli_status
drive_stop(const struct invocation *invocation)
{
	struct service s;
	enum cli_status status = service_open(&s, true);

	if (status == CLI_OK)
		status = check_installed(&s);
	if (status == CLI_OK && s.has_manager)
		status = act(&s, "stop", "Gateway stopped, by systemd");
	if (status == CLI_OK && !s.has_manager) {
		drive_say_why(&s);
		status = stop_run(invocation);
	}
	service_close(&s);
	return status;
}

enum cli_status
drive_restart(const struct invocation *invocation)
{
	struct service s;
	enum cli_status status = service_open(&s, true);

	if (status == CLI_OK)
		status = check_installed(&s);
	if (status == CLI_OK && s.has_manager)
		status = check_free(&s);
	if (status == CLI_OK && s.has_manager)
		status = act(&s, "restart", "Gateway restarted, by systemd");
	else if (status == CLI_OK)
		status = run_by_hand(&s, invocation, start_again);
	service_close(&s);
	return status;
}

/* --- status ----------------------------------------------------------------------------------- */

static enum cli_status
print_status_json(const struct service *s, const struct view *v)
{
	struct buf text = { 0 };
	struct jsonw w;

	jsonw_init(&w, &text);
	jsonw_object(&w);
	jsonw_key(&w, "installed");
	jsonw_bool(&w, s->is_installed);
	jsonw_key(&w, "running");
	jsonw_bool(&w, v->is_running);
	if (v->pid != 0) {
		jsonw_key(&w, "pid");
		jsonw_int(&w, v->pid);
	}
	jsonw_key(&w, "manager");
	jsonw_cstr(&w, s->has_manager ? "systemd" : "none");
	if (s->has_manager) {
		jsonw_key(&w, "state");
		jsonw_cstr(&w, v->state.active);
		jsonw_key(&w, "enabled");
		jsonw_bool(&w, strcmp(v->state.enabled, "enabled") == 0);
		jsonw_key(&w, "restarts");
		jsonw_uint(&w, v->state.restarts);
	}
	jsonw_key(&w, "unit");
	jsonw_cstr(&w, s->path);
	jsonw_key(&w, "home");
	jsonw_cstr(&w, s->home);
	jsonw_object_end(&w);
	buf_append_byte(&text, '\n');
	return output_take(&text);
}

static void
print_status(const struct service *s, const struct view *v)
{
	printf("Daemon Status: %s\n", v->is_running ? "Running" : "Stopped");
	if (v->pid != 0)
		printf("  PID: %d\n", (int)v->pid);
	if (s->has_manager)
		printf("  Manager: systemd (%s%s%s, %u restarts)\n", v->state.active,
		    v->state.enabled[0] != '\0' ? ", " : "", v->state.enabled, v->state.restarts);
	else
		printf("  Manager: none (%.*s)\n", SPAN_ARGS(buf_span(&s->why_not)));
	printf("  Unit: %s%s\n  Home: %s\n", s->path, s->is_installed ? "" : " (not installed)",
	    s->home);
}

enum cli_status
drive_status(const struct invocation *invocation)
{
	struct view v = { 0 };
	struct service s;
	enum cli_status status = service_open(&s, true);

	if (status == CLI_OK) {
		v.pid = holder_of(&s);
		v.is_running = v.pid != 0;
		if (s.has_manager && manager_show(&v.state) != 0)
			v.state = (struct manager_state){ .active = "unknown" };
		if (arguments_has(invocation->arguments, OPTION_JSON))
			status = print_status_json(&s, &v);
		else
			print_status(&s, &v);
		if (status == CLI_OK && !v.is_running)
			status = CLI_UNREACHABLE;
	}
	service_close(&s);
	return status;
}
