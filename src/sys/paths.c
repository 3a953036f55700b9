/*
 * Why this file exists: where the gateway's files are is said once, for those that make them and
 * for the command line that looks for them.
 */
#include "sys/paths.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "sys/digest.h"

char *
paths_join(const char *directory, const char *name)
{
	struct buf path = { 0 };

	buf_printf(&path, "%s/%s", directory, name);
	return buf_steal(&path, NULL);
}

static int
make_one(const char *path)
{
	struct stat st;

	if (mkdir(path, 0700) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (stat(path, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int
paths_make_folder(const char *path)
{
	char *copy;
	int r = 0;

	copy = mem_strndup(span_cstr(path));
	if (copy == NULL)
		return -ENOMEM;
	for (char *slash = strchr(copy + 1, '/'); copy[0] != '\0' && slash != NULL && r == 0;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		r = make_one(copy);
		*slash = '/';
	}
	if (r == 0)
		r = make_one(copy);
	mem_free(copy);
	return r;
}

char *
paths_lock(const char *home)
{
	return paths_join(home, "run/gateway.lock");
}

char *
paths_socket(const char *home)
{
	return paths_join(home, "run/gateway.sock");
}

int
paths_segment_name(const char *home, uid_t uid, char ret_name[PATHS_SEGMENT_NAME_MAX])
{
	char hex[DIGEST_SHA256_HEX_SIZE];
	char *canonical;
	int r;

	canonical = realpath(home, NULL);
	if (canonical == NULL)
		return -errno;
	r = digest_sha256_hex(span_cstr(canonical), hex);
	free(canonical);
	if (r < 0)
		return r;
	(void)snprintf(ret_name, PATHS_SEGMENT_NAME_MAX, "/lurkbot-%u-%.8s", uid, hex);
	return 0;
}
