/*
 * The configuration is read and judged before anything is forked or stopped: its errors belong to
 * the person who typed the command, and a restart with a bad one must not end what runs.
 */
#include "cli/start.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/arguments.h"
#include "cli/daemon.h"
#include "cli/invocation.h"
#include "cli/output.h"
#include "cli/setup.h"
#include "cli/stopper.h"
#include "conf/secret.h"
#include "config.h"
#include "supervisor/supervisor.h"
#include "sys/lockfile.h"
#include "sys/notify.h"
#include "sys/paths.h"

#ifdef LURKBOT_SANITIZED
enum { READY_MS = 300000 };
#else
enum { READY_MS = 60000 };
#endif

enum { STOP_GRACE_MS = 10000 };

const struct syntax start_syntax = START_SYNTAX;

/*
 * The same request for each reload, by absolute paths, since a daemon has left the folder in which it was
 * made. The flags of the start count for as long as the gateway runs.
 */
static struct conf_request
request_again(const struct invocation *invocation, const struct conf *conf)
{
	struct conf_request request = setup_request(invocation);

	request.home = conf->home;
	if (request.config_file != NULL)
		request.config_file = conf->config_path;
	return request;
}

static enum cli_status
run_gateway(const struct invocation *invocation, const struct conf *conf, int ready_fd)
{
	const struct conf_request reload = request_again(invocation, conf);
	const struct supervisor_options options = {
		.conf = conf,
		.reload = &reload,
		.ready_fd = ready_fd,
		.foreground = ready_fd < 0,
		.title = invocation->title,
	};

	return (enum cli_status)supervisor_run(&options, invocation->program);
}

/* Where the gateway listens, which it wrote beside its pid: the port may have been picked. */
static void
print_started(const struct conf *conf, pid_t pid)
{
	char text[LOCKFILE_TEXT_MAX] = "";
	char *lock = paths_lock(conf->home);

	if (lock == NULL || lockfile_read_extra(lock, text) != 0)
		text[0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	mem_free(lock);
	printf("Gateway started (pid %d)%s%s\n", (int)pid, text[0] != '\0' ? ", " : "", text);
}

static enum cli_status
watch_start(const struct conf *conf, struct daemon *daemon)
{
	char reason[DAEMON_REASON_MAX];
	int status = daemon_await(daemon, READY_MS, reason);

	if (status == 0)
		print_started(conf, daemon->pid);
	else if (reason[0] != '\0')
		fprintf(stderr, "%s\n", reason);
	else
		output_error("The gateway ended before it served; see %s", conf->gateway.log_file);
	return (enum cli_status)status;
}

static enum cli_status
start_daemon(const struct invocation *invocation, const struct conf *conf)
{
	struct daemon daemon;
	int role;

	fflush(stdout);
	role = daemon_fork(&daemon);
	switch (role) {
	case DAEMON_LAUNCHER:
		return (enum cli_status)daemon.status;
	case DAEMON_WATCHER:
		return watch_start(conf, &daemon);
	case DAEMON_ITSELF:
		return run_gateway(invocation, conf, daemon.ready_fd);
	default:
		output_error("Cannot start a daemon: %s", strerror(-role));
		return CLI_FAILED;
	}
}

/* What the environment told is known by now, and would be seen in a core file, or by a child. */
static enum cli_status
load(const struct invocation *invocation, struct conf **ret)
{
	enum cli_status status = setup_load(invocation, ret);

	if (status == CLI_USAGE &&
	    notify_send("STATUS=The configuration has errors, see the log\nERRNO=22", NULL, 0) < 0)
		output_error("the service manager could not be told");
	if (status == CLI_OK && secret_mask_environment() < 0) {
		output_error("out of memory");
		conf_free(*ret);
		status = CLI_FAILED;
	}
	return status;
}

enum cli_status
start_run(const struct invocation *invocation)
{
	struct conf *conf;
	enum cli_status status = load(invocation, &conf);

	if (status != CLI_OK)
		return status;
	if (arguments_has(invocation->arguments, OPTION_DAEMON))
		status = start_daemon(invocation, conf);
	else
		status = run_gateway(invocation, conf, -1);
	conf_free(conf);
	return status;
}

enum cli_status
start_again(const struct invocation *invocation)
{
	struct conf *conf;
	pid_t pid = 0;
	enum cli_status status = load(invocation, &conf);

	if (status != CLI_OK)
		return status;
	status = stopper_stop(conf->home,
	    arguments_number(invocation->arguments, OPTION_STOP_TIMEOUT,
		conf->gateway.drain_timeout_ms + (uint64_t)STOP_GRACE_MS),
	    true, &pid);
	if (status == CLI_OK)
		printf("Gateway stopped (pid %d)\n", (int)pid);
	if (status != CLI_FAILED)
		status = start_daemon(invocation, conf);
	conf_free(conf);
	return status;
}
