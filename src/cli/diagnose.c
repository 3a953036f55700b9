/*
 * The checks in the order in which a person would ask: what comes first explains what comes later.
 */
#include "cli/diagnose.h"

#include "base/macros.h"
#include "cli/arguments.h"
#include "cli/checkaround.h"
#include "cli/checkservice.h"
#include "cli/checkup.h"
#include "cli/findings.h"

static void (*const checks[])(const struct checkup *, struct findings *) = {
	checkservice_installed,
	checkservice_running,
	checkservice_last_exit,
	checkservice_configuration,
	checkaround_port,
	checkaround_log_size,
	checkaround_error_log,
	checkaround_certificate,
	checkaround_descriptors,
};

enum cli_status
diagnose_run(const struct invocation *invocation)
{
	struct checkup checkup;
	struct findings findings;
	enum cli_status status = checkup_open(&checkup, invocation);

	if (status == CLI_OK) {
		findings_init(&findings, arguments_has(invocation->arguments, OPTION_JSON));
		for (size_t i = 0; i < ARRAY_LEN(checks); i++)
			checks[i](&checkup, &findings);
		status = findings_print(&findings);
	}
	checkup_close(&checkup);
	return status;
}
