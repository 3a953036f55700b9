/*
 * Everything that can be wrong is looked at before the file is written: a unit that is there starts.
 */
#include "cli/install.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cli/drive.h"
#include "cli/manager.h"
#include "cli/output.h"
#include "cli/service.h"
#include "cli/setup.h"
#include "conf/data.h"
#include "conf/locate.h"
#include "sys/paths.h"

enum { STOP_GRACE_S = 10 };

/* --- what is to be installed ------------------------------------------------------------------ */

static int
add_program(struct unit *u)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path));
	int r = n < 0 ? -errno : unit_add_word(u, span_make(path, (size_t)n));

	if (r == 0)
		r = unit_add_word(u, SPAN("gateway"));
	if (r == 0)
		r = unit_add_word(u, SPAN("start"));
	return r;
}

/* The option with this value, if there is one. */
static int
add_option(struct unit *u, const char *name, const char *value)
{
	int r = 0;

	if (value != NULL)
		r = unit_add_word(u, span_cstr(name));
	if (r == 0 && value != NULL)
		r = unit_add_word(u, span_cstr(value));
	return r;
}

/* The path of an option made absolute: the service starts elsewhere. *ret stays NULL without one. */
static int
absolute(const char *path, char **ret)
{
	return path != NULL ? locate_absolute(environ, span_cstr(path), ret) : 0;
}

static int
fill_unit(struct unit *u, const struct arguments *a, const char *home)
{
	const char *bind = arguments_text(a, OPTION_BIND);
	const char *host = bind == NULL ? NULL : strcmp(bind, "lan") == 0 ? "0.0.0.0" : "127.0.0.1";
	char *config = NULL;
	int r = add_program(u);

	if (r == 0)
		r = add_option(u, "--port", arguments_text(a, OPTION_SERVICE_PORT));
	if (r == 0)
		r = add_option(u, "--host", host);
	if (r == 0)
		r = absolute(arguments_text(a, OPTION_CONFIG), &config);
	if (r == 0)
		r = add_option(u, "--config", config);
	if (r == 0)
		r = absolute(arguments_text(a, OPTION_WORKSPACE), &u->workspace);
	if (r == 0) {
		u->home = mem_strndup(span_cstr(home));
		r = u->home != NULL ? 0 : -ENOMEM;
	}
	mem_free(config);
	return r;
}

static enum cli_status
check_options(const struct arguments *a)
{
	const char *bind = arguments_text(a, OPTION_BIND);
	const char *workspace = arguments_text(a, OPTION_WORKSPACE);
	struct stat st;

	if (bind != NULL && strcmp(bind, "loopback") != 0 && strcmp(bind, "lan") != 0) {
		output_error("--bind: must be loopback or lan");
		return CLI_USAGE;
	}
	if (workspace != NULL && (stat(workspace, &st) != 0 || !S_ISDIR(st.st_mode))) {
		output_error("--workspace: %s is no folder", workspace);
		return CLI_USAGE;
	}
	return CLI_OK;
}

static void
warn_of_network(const struct conf *conf)
{
	if (conf->gateway.auth_enabled || conf->gateway.allow_unauthenticated)
		return;
	fprintf(stderr,
	    "Listening on all addresses needs authentication: until it is on, clients of other\n"
	    "machines are turned away. Put a token (lurkbot gateway token generate) into\n"
	    "%s/config.json as gateway.auth_tokens, and set gateway.auth_enabled.\n",
	    conf->home);
}

/* Has the configuration judged as the service will find it. */
static enum cli_status
check_configuration(struct unit *u, const struct invocation *invocation)
{
	const char *bind = arguments_text(invocation->arguments, OPTION_BIND);
	struct buf fault = { 0 };
	struct service_start start;
	struct conf *conf = NULL;
	enum cli_status status = CLI_FAILED;
	int r = service_start_read(&start, u, invocation, &fault);

	if (r == 0)
		status = setup_load(&start.invocation, &conf);
	else
		output_error("%s: %.*s", strerror(-r), SPAN_ARGS(buf_span(&fault)));
	if (status == CLI_OK) {
		u->stop_s = (conf->gateway.drain_timeout_ms + 999) / 1000 + STOP_GRACE_S;
		if (bind != NULL && strcmp(bind, "lan") == 0)
			warn_of_network(conf);
	}
	conf_free(conf);
	service_start_fini(&start);
	buf_fini(&fault);
	return status;
}

/* --- the file --------------------------------------------------------------------------------- */

static int
write_all(const char *path, struct span text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644), r = 0;

	if (fd < 0)
		return -errno;
	while (r == 0 && text.n > 0) {
		ssize_t n = write(fd, text.p, text.n);

		if (n > 0)
			text = span_skip(text, (size_t)n);
		else if (n < 0 && errno != EINTR)
			r = -errno;
	}
	if (close(fd) != 0 && r == 0)
		r = -errno;
	return r;
}

static int
make_folder_of(const char *path)
{
	char *folder = mem_strndup(span_make(path, (size_t)(strrchr(path, '/') - path)));
	int r = folder != NULL ? paths_make_folder(folder) : -ENOMEM;

	mem_free(folder);
	return r;
}

/* The whole file or none: an earlier one stays until this one is written. */
static int
replace_file(const char *path, struct span text)
{
	struct buf name = { 0 };
	char *temporary;
	int r = make_folder_of(path);

	buf_printf(&name, "%s.%d", path, (int)getpid());
	temporary = buf_steal(&name, NULL);
	if (r == 0 && temporary == NULL)
		r = -ENOMEM;
	if (r == 0) {
		r = write_all(temporary, text);
		if (r == 0 && rename(temporary, path) != 0)
			r = -errno;
		if (r != 0)
			(void)unlink(temporary);
	}
	mem_free(temporary);
	return r;
}

static enum cli_status
write_unit(const struct service *s, const struct unit *u)
{
	struct buf text = { 0 };
	int r = unit_write(u, &text);

	if (r == -EINVAL)
		output_error("a path with a control character cannot stand in a unit");
	if (r == 0)
		r = buf_status(&text);
	if (r == 0)
		r = replace_file(s->path, buf_span(&text));
	if (r != 0 && r != -EINVAL)
		output_error("%s: %s", s->path, strerror(-r));
	buf_fini(&text);
	return r == 0 ? CLI_OK : CLI_FAILED;
}

/* --- the verbs -------------------------------------------------------------------------------- */

static enum cli_status
tell_manager(const struct service *s)
{
	enum cli_status status = CLI_OK;

	if (!s->has_manager) {
		drive_say_why(s);
	} else {
		status = manager_do("daemon-reload", NULL);
		if (status == CLI_OK)
			status = manager_do("enable", UNIT_NAME);
	}
	if (status == CLI_OK)
		printf("Installed %s\n\"lurkbot daemon %s\" starts it.\n", s->path,
		    drive_is_running(s) ? "restart" : "start");
	return status;
}

static enum cli_status
install(const struct service *s, const struct invocation *invocation)
{
	struct unit u = { 0 };
	enum cli_status status = CLI_OK;
	int r;

	if (s->is_installed && !s->is_ours) {
		output_error("%s is there, and was not written by \"lurkbot daemon install\": "
			     "remove it first",
		    s->path);
		return CLI_FAILED;
	}
	r = fill_unit(&u, invocation->arguments, s->home);
	if (r != 0) {
		output_error("%s", strerror(-r));
		status = CLI_FAILED;
	}
	if (status == CLI_OK)
		status = check_configuration(&u, invocation);
	if (status == CLI_OK)
		status = write_unit(s, &u);
	if (status == CLI_OK)
		status = tell_manager(s);
	unit_fini(&u);
	return status;
}

enum cli_status
install_run(const struct invocation *invocation)
{
	struct service s = { 0 };
	enum cli_status status = check_options(invocation->arguments);

	if (status == CLI_OK)
		status = service_open(&s, false);
	if (status == CLI_OK)
		status = install(&s, invocation);
	service_close(&s);
	return status;
}

static enum cli_status
stop_and_forget(const struct service *s, const struct invocation *invocation)
{
	enum cli_status status = CLI_OK;

	if (s->has_manager) {
		status = manager_do("stop", UNIT_NAME);
		return status == CLI_OK ? manager_do("disable", UNIT_NAME) : status;
	}
	if (drive_is_running(s))
		status = drive_stop(invocation);
	return status;
}

enum cli_status
install_undo(const struct invocation *invocation)
{
	struct service s;
	enum cli_status status = service_open(&s, true);

	if (status == CLI_OK && !s.is_installed) {
		output_error("Not installed: there is no %s", s.path);
		status = CLI_FAILED;
	}
	if (status == CLI_OK)
		status = stop_and_forget(&s, invocation);
	if (status == CLI_OK && unlink(s.path) != 0) {
		output_error("%s: %s", s.path, strerror(errno));
		status = CLI_FAILED;
	}
	if (status == CLI_OK && s.has_manager)
		status = manager_do("daemon-reload", NULL);
	if (status == CLI_OK)
		printf("Removed %s\nWhat the gateway keeps stays in %s.\n", s.path, s.home);
	service_close(&s);
	return status;
}
