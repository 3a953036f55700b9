/*
 * Finds homes. HOME counts before the user database, as in every shell.
 */
#include "conf/locate.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"

enum { PASSWD_SIZE = 16384 };

const char *
locate_variable(char *const *environ_, const char *name)
{
	size_t n = strlen(name);

	for (; *environ_ != NULL; environ_++) {
		if (strncmp(*environ_, name, n) == 0 && (*environ_)[n] == '=')
			return *environ_ + n + 1;
	}
	return NULL;
}

static int
append_user_home(char *const *environ_, struct buf *out)
{
	const char *home = locate_variable(environ_, "HOME");
	struct passwd entry, *found = NULL;
	char store[PASSWD_SIZE];

	if (home == NULL || *home != '/') {
		if (getpwuid_r(geteuid(), &entry, store, sizeof(store), &found) != 0 ||
		    found == NULL || found->pw_dir[0] != '/')
			return -ENOENT;
		home = found->pw_dir;
	}
	buf_append_cstr(out, home);
	return 0;
}

static int
append_current_folder(struct buf *out)
{
	char folder[PATH_MAX];

	if (getcwd(folder, sizeof(folder)) == NULL)
		return -errno;
	buf_append_cstr(out, folder);
	return 0;
}

/* Appends the parts of the path that mean something, each after a slash. */
static void
append_parts(struct buf *out, struct span path)
{
	while (path.n > 0) {
		const char *slash = memchr(path.p, '/', path.n);
		size_t n = slash != NULL ? (size_t)(slash - path.p) : path.n;
		struct span part = span_make(path.p, n);

		if (part.n > 0 && !span_is(part, ".")) {
			buf_append_byte(out, '/');
			buf_append_span(out, part);
		}
		path = span_skip(path, n + (slash != NULL));
	}
}

int
locate_absolute(char *const *environ_, struct span path, char **ret_path)
{
	struct buf whole = { 0 }, clean = { 0 };
	char *found = NULL;
	int status = 0;

	if (span_is(path, "~") || span_has_prefix(path, SPAN("~/"))) {
		status = append_user_home(environ_, &whole);
		path = span_skip(path, 1);
	} else if (!span_has_prefix(path, SPAN("/"))) {
		status = append_current_folder(&whole);
	}
	buf_append_byte(&whole, '/');
	buf_append_span(&whole, path);
	if (status == 0)
		status = buf_status(&whole);
	if (status == 0) {
		append_parts(&clean, buf_span(&whole));
		if (clean.len == 0)
			buf_append_byte(&clean, '/');
		found = buf_steal(&clean, NULL);
		status = found != NULL ? 0 : -ENOMEM;
	}
	buf_fini(&whole);
	buf_fini(&clean);
	if (status == 0)
		*ret_path = found;
	return status;
}

int
locate_home(char *const *environ_, const char *home, char **ret_path)
{
	if (home == NULL)
		home = locate_variable(environ_, "LURKBOT_HOME");
	if (home == NULL || *home == '\0')
		home = "~/.lurkbot";
	return locate_absolute(environ_, span_cstr(home), ret_path);
}
