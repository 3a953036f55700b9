/*
 * Why this file exists: what all `lurkbot daemon` verbs have to know before they do anything.
 */
#include "cli/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cli/manager.h"
#include "cli/output.h"
#include "cli/setup.h"
#include "cli/start.h"
#include "conf/locate.h"
#include "conf/readfile.h"
#include "sys/paths.h"

enum { FIRST_OPTION = 3 }; /* in the words of a unit: behind the program, "gateway" and "start" */

/* XDG Base Directory Specification: a path in XDG_CONFIG_HOME that is not absolute does not count. */
static int
find_path(char **ret)
{
	const char *base = locate_variable(environ, "XDG_CONFIG_HOME");
	char *folder;
	int r = locate_absolute(
	    environ, span_cstr(base != NULL && base[0] == '/' ? base : "~/.config"), &folder);

	if (r != 0)
		return r;
	*ret = paths_join(folder, "systemd/user/" UNIT_NAME);
	mem_free(folder);
	return *ret != NULL ? 0 : -ENOMEM;
}

static int
read_unit(struct service *s)
{
	struct buf text = { 0 };
	int r = readfile(s->path, &text);

	if (r == 0) {
		s->is_ours = unit_is_ours(buf_span(&text));
		r = unit_read(&s->unit, buf_span(&text));
	}
	buf_fini(&text);
	s->is_installed = r != -ENOENT && r != -ENOTDIR;
	if (r == -ENOMEM)
		return r;
	s->fault = s->is_installed ? r : 0;
	if (r != 0)
		unit_fini(&s->unit);
	return 0;
}

static int
use_places(const struct unit *unit)
{
	if (unit->home != NULL && setenv("LURKBOT_HOME", unit->home, 1) != 0)
		return -errno;
	if (unit->workspace != NULL && setenv("LURKBOT_WORKSPACE", unit->workspace, 1) != 0)
		return -errno;
	return 0;
}

enum cli_status
service_open(struct service *ret, bool adopts)
{
	int r;

	*ret = (struct service){ 0 };
	r = find_path(&ret->path);
	if (r == 0)
		r = read_unit(ret);
	if (r == 0 && adopts)
		r = use_places(&ret->unit);
	if (r != 0) {
		output_error("Cannot find the unit of this user: %s",
		    r == -ENOENT ? "set HOME" : strerror(-r));
		return CLI_FAILED;
	}
	ret->has_manager = manager_is_there(&ret->why_not);
	return setup_home(&ret->home);
}

void
service_close(struct service *s)
{
	mem_free(s->path);
	mem_free(s->home);
	unit_fini(&s->unit);
	buf_fini(&s->why_not);
}

int
service_start_read(struct service_start *ret, const struct unit *unit,
    const struct invocation *brought, struct buf *ret_fault)
{
	static char daemon[] = "--daemon";
	size_t options = unit->count > FIRST_OPTION ? unit->count - FIRST_OPTION : 0;

	*ret = (struct service_start){ .invocation = *brought };
	ret->invocation.arguments = &ret->arguments;
	ret->argv = mem_array(options + 1, sizeof(*ret->argv));
	if (ret->argv == NULL)
		return -ENOMEM;
	ret->argv[0] = daemon;
	for (size_t i = 0; i < options; i++)
		ret->argv[i + 1] = unit->words[FIRST_OPTION + i];
	return arguments_parse(
	    &ret->arguments, &start_syntax, (int)options + 1, ret->argv, ret_fault);
}

void
service_start_fini(struct service_start *s)
{
	arguments_fini(&s->arguments);
	mem_free(s->argv);
}
