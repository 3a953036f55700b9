/*
 * A configuration with errors is shown with all of them, one a line, and used by nobody.
 */
#include "cli/setup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/arguments.h"
#include "cli/invocation.h"
#include "cli/output.h"
#include "gateway/secure.h"

struct conf_request
setup_request(const struct invocation *invocation)
{
	const struct arguments *a = invocation->arguments;

	return (struct conf_request){
		.config_file = arguments_text(a, OPTION_CONFIG),
		.flags = (const char *const *)a->settings,
		.flag_count = a->setting_count,
		.judge = secure_judge,
	};
}

static void
print_report(const struct conf_report *report)
{
	struct span line;
	size_t cursor = 0;

	while (conf_report_next(report, &cursor, &line))
		output_line(line);
}

enum cli_status
setup_load(const struct invocation *invocation, struct conf **ret)
{
	const struct conf_request request = setup_request(invocation);
	struct conf_report report;
	int rc = conf_load(&request, ret, &report);
	enum cli_status status = CLI_OK;

	if (rc == -EINVAL) {
		print_report(&report);
		status = CLI_USAGE;
	} else if (rc != 0) {
		output_error("%s", strerror(-rc));
		status = CLI_FAILED;
	}
	conf_report_fini(&report);
	return status;
}

enum cli_status
setup_home(char **ret_home)
{
	const struct conf_request request = { 0 };
	int rc = conf_home(&request, ret_home);

	if (rc == 0)
		return CLI_OK;
	if (rc == -ENOENT) {
		output_error("Cannot find LurkBot's home: set LURKBOT_HOME");
		return CLI_USAGE;
	}
	output_error("Cannot find LurkBot's home: %s", strerror(-rc));
	return CLI_FAILED;
}
