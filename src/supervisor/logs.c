/*
 * Why this file exists: which sinks the log has is decided by how the gateway was started, not by
 * a setting, and the supervisor opens the file for all processes, which append to it by one
 * descriptor.
 */
#include "supervisor/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/alloc.h"
#include "base/log.h"
#include "bus/loglines.h"
#include "bus/segment.h"
#include "conf/data.h"
#include "sys/guarded.h"
#include "sys/journal.h"
#include "sys/paths.h"

static void
use_sinks(const struct conf *conf, bool foreground, int file_fd)
{
	bool is_journal = journal_is_stderr();
	const struct log_setup setup = {
		.level = conf->gateway.log_level,
		.format = conf->gateway.log_format,
		.file_fd = file_fd,
		.stderr_fd = foreground || is_journal ? STDERR_FILENO : -1,
		.stderr_has_priority = is_journal,
	};

	log_configure(&setup);
}

/* What libevent has to say goes where everything goes; the children inherit that. */
static void
on_event_log(int severity, const char *text)
{
	switch (severity) {
	case EVENT_LOG_ERR:
		log_error("libevent: %s", text);
		break;
	case EVENT_LOG_WARN:
		log_warning("libevent: %s", text);
		break;
	default:
		log_debug("libevent: %s", text);
		break;
	}
}

void
logs_begin(const struct conf *conf, bool foreground)
{
	use_sinks(conf, foreground, -1);
	event_set_log_callback(on_event_log);
}

static int
make_folder_of(const char *file)
{
	const char *slash = strrchr(file, '/');
	char *folder;
	int r;

	if (slash == NULL || slash == file)
		return 0;
	folder = mem_strndup(span_make(file, (size_t)(slash - file)));
	if (folder == NULL)
		return -ENOMEM;
	r = paths_make_folder(folder);
	mem_free(folder);
	return r;
}

/* Opens the file that the configuration names. */
static int
open_file(const struct conf *conf, int *ret_fd, struct buf *reason)
{
	const char *path = conf->gateway.log_file;
	int r = make_folder_of(path);

	if (r == 0)
		r = guarded_open(path, O_WRONLY | O_APPEND, 0600, true, ret_fd);
	if (r < 0)
		buf_printf(reason, "Cannot open the log file %s: %s", path, strerror(-r));
	return r;
}

int
logs_open(const struct conf *conf, bool foreground, int *ret_fd, struct buf *reason)
{
	int fd, r;

	if (journal_is_stderr()) {
		*ret_fd = -1;
		return 0;
	}
	r = open_file(conf, &fd, reason);
	if (r < 0)
		return r;
	use_sinks(conf, foreground, fd);
	*ret_fd = fd;
	return 0;
}

int
logs_reopen(const struct conf *conf, int *fd, struct buf *reason)
{
	int opened, r;

	if (*fd < 0)
		return 0;
	r = open_file(conf, &opened, reason);
	if (r < 0)
		return r;
	(void)close(log_set_file(opened));
	*fd = opened;
	return 0;
}

static void
on_line(void *arg, enum log_level level, struct span line)
{
	loglines_add(arg, level, line);
}

void
logs_tap(struct segment *segment)
{
	log_set_tap(
	    segment != NULL ? on_line : NULL, segment != NULL ? segment_loglines(segment) : NULL);
}

void
logs_close(const struct conf *conf, bool foreground, int fd)
{
	use_sinks(conf, foreground, -1);
	if (fd >= 0)
		(void)close(fd);
}
