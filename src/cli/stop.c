/*
 * How long the running gateway may take is its drain_timeout_ms, as far as the configuration tells;
 * a configuration that has become bad since must not keep it from being stopped.
 */
#include "cli/stop.h"

#include <stdio.h>

#include "base/alloc.h"
#include "cli/arguments.h"
#include "cli/invocation.h"
#include "cli/output.h"
#include "cli/setup.h"
#include "cli/stopper.h"

enum { DRAIN_DEFAULT_MS = 10000, GRACE_MS = 10000 };

static uint64_t
default_timeout_ms(const struct invocation *invocation)
{
	const struct conf_request request = setup_request(invocation);
	uint64_t drain_ms = DRAIN_DEFAULT_MS;
	struct conf_report report;
	struct conf *conf;

	if (conf_load(&request, &conf, &report) == 0) {
		drain_ms = conf->gateway.drain_timeout_ms;
		conf_free(conf);
	}
	conf_report_fini(&report);
	return drain_ms + GRACE_MS;
}

/* For people, or {"stopped":BOOL,"pid":N}. */
static void
print_result(enum cli_status status, pid_t pid, bool as_json)
{
	if (as_json && status == CLI_OK)
		printf("{\"stopped\":true,\"pid\":%d}\n", (int)pid);
	else if (as_json)
		printf("{\"stopped\":false}\n");
	else if (status == CLI_OK)
		printf("Gateway stopped (pid %d)\n", (int)pid);
	else if (status == CLI_UNREACHABLE)
		output_error("Gateway is not running");
}

enum cli_status
stop_run(const struct invocation *invocation)
{
	const struct arguments *a = invocation->arguments;
	pid_t pid = 0;
	char *home;
	uint64_t timeout_ms;
	enum cli_status status = setup_home(&home);

	if (status != CLI_OK)
		return status;
	timeout_ms = arguments_number(a, OPTION_STOP_TIMEOUT, 0);
	if (timeout_ms == 0)
		timeout_ms = default_timeout_ms(invocation);
	status = stopper_stop(home, timeout_ms, false, &pid);
	print_result(status, pid, arguments_has(a, OPTION_JSON));
	mem_free(home);
	return status;
}
