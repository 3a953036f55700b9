/*
 * Why this file exists: systemd says in JOURNAL_STREAM which file the journal reads from, as device
 * and inode; the variable alone proves nothing, since it is handed on to children whose output
 * was redirected.
 */
#include "sys/journal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/parse.h"
#include "base/span.h"

bool
journal_is_stderr(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	const char *colon = stream != NULL ? strchr(stream, ':') : NULL;
	uint64_t device, inode;
	struct stat st;

	if (colon == NULL || fstat(STDERR_FILENO, &st) < 0)
		return false;
	if (parse_u64(span_make(stream, (size_t)(colon - stream)), UINT64_MAX, &device) < 0)
		return false;
	if (parse_u64(span_cstr(colon + 1), UINT64_MAX, &inode) < 0)
		return false;
	return device == st.st_dev && inode == st.st_ino;
}
