/*
 * Why this file exists: the checks are about one moment, and none of them may fail for a reason
 * that another has to tell.
 */
#include "cli/checkup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/setup.h"
#include "cli/stopper.h"
#include "conf/conf.h"
#include "sys/lockfile.h"
#include "sys/paths.h"

static void
keep_first_fault(struct checkup *c, const struct conf_report *report)
{
	struct span line;
	size_t cursor = 0;

	c->fault_count = report->count;
	if (conf_report_next(report, &cursor, &line))
		buf_append_span(&c->fault, line);
}

static void
load(struct checkup *c, const struct invocation *invocation)
{
	struct conf_report report;
	struct conf_request request;
	int r = service_start_read(&c->start, &c->service.unit, invocation, &c->fault);

	if (r != 0) {
		c->fault_count = 1;
		return;
	}
	request = setup_request(&c->start.invocation);
	r = conf_load(&request, &c->conf, &report);
	if (r == -EINVAL)
		keep_first_fault(c, &report);
	else if (r != 0)
		buf_append_cstr(&c->fault, strerror(-r));
	if (r != 0 && c->fault_count == 0)
		c->fault_count = 1;
	conf_report_fini(&report);
}

enum cli_status
checkup_open(struct checkup *ret, const struct invocation *invocation)
{
	enum cli_status status;
	int r;

	*ret = (struct checkup){ 0 };
	status = service_open(&ret->service, true);
	if (status != CLI_OK)
		return status;
	load(ret, invocation);
	r = stopper_find(ret->service.home, &ret->pid);
	ret->is_held = r == -ESRCH;
	if (r != 0)
		ret->pid = 0;
	if (ret->service.has_manager && manager_show(&ret->state) != 0)
		ret->state = (struct manager_state){ 0 };
	return CLI_OK;
}

void
checkup_close(struct checkup *c)
{
	conf_free(c->conf);
	buf_fini(&c->fault);
	service_start_fini(&c->start);
	service_close(&c->service);
}

void
checkup_address(const struct checkup *c, char *ret, size_t size)
{
	char text[LOCKFILE_TEXT_MAX] = "";
	char *lock = paths_lock(c->service.home);

	if (lock == NULL || lockfile_read_extra(lock, text) != 0)
		text[0] = '\0';
	mem_free(lock);
	text[strcspn(text, "\n, ")] = '\0';
	snprintf(ret, size, "%s", text);
}
