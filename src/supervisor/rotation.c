/*
 * Why this file exists: a log that nobody rotates fills the disk. Only the file that is written to is moved: where
 * another stands under its name, or none, somebody else rotates, and it is opened again at the most.
 */
#include "supervisor/rotation.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/counters.h"
#include "bus/segment.h"
#include "conf/data.h"
#include "supervisor/crew.h"
#include "supervisor/logs.h"
#include "supervisor/resources.h"

enum { TICK_S = 1, AGAIN_MS = 10 * 1000, SUFFIX_MAX = 16 };

/* FILE.number, NUL-terminated; FILE itself for 0. */
static int
write_name(struct buf *out, const char *file, uint32_t number)
{
	char suffix[SUFFIX_MAX] = "";

	if (number > 0)
		(void)snprintf(suffix, sizeof(suffix), ".%u", number);
	buf_reset(out);
	buf_append_cstr(out, file);
	buf_append_cstr(out, suffix);
	buf_append_byte(out, '\0');
	return buf_status(out);
}

/* FILE.n becomes FILE.n+1, from the oldest one that is kept to FILE itself. */
static int
shift(const char *file, uint32_t keep)
{
	struct buf from = { 0 }, to = { 0 };
	int r = 0;

	for (uint32_t n = keep; n > 0 && r == 0; n--) {
		r = write_name(&from, file, n - 1);
		if (r == 0)
			r = write_name(&to, file, n);
		if (r == 0 && rename(from.data, to.data) < 0 && (errno != ENOENT || n == 1))
			r = -errno;
	}
	buf_fini(&from);
	buf_fini(&to);
	return r;
}

/* Whether the file that is written to stands under its name, and how long it is. */
static bool
is_ours(const struct resources *res, uint64_t *ret_bytes)
{
	struct stat open, named;

	if (res->log_fd < 0 || fstat(res->log_fd, &open) < 0 ||
	    stat(res->conf->gateway.log_file, &named) < 0)
		return false;
	*ret_bytes = (uint64_t)open.st_size;
	return open.st_dev == named.st_dev && open.st_ino == named.st_ino && S_ISREG(open.st_mode);
}

static struct counters *
own_counters(const struct resources *res)
{
	return segment_counters(res->segment, segment_supervisor_slot(res->segment));
}

void
rotation_reopen(struct rotation *rotation)
{
	struct resources *res = rotation->resources;
	struct buf reason = { 0 };

	if (res->log_fd < 0) {
		log_info("there is no log file to be opened again");
	} else if (logs_reopen(res->conf, &res->log_fd, &reason) < 0) {
		log_error("%.*s", SPAN_ARGS(buf_span(&reason)));
	} else {
		crew_set_log(rotation->crew, res->log_fd);
		rotation->is_owed = false;
		log_info("the log file was opened again");
	}
	buf_fini(&reason);
}

/* It is tried again, and not said again. */
static void
fail_for_now(struct rotation *rotation)
{
	rotation->is_failing = true;
	rotation->again_ms = clock_mono_ms() + AGAIN_MS;
}

/* The old file was moved aside: what is left is to open another one. */
static void
finish(struct rotation *rotation)
{
	struct resources *res = rotation->resources;
	struct buf reason = { 0 };
	int r = logs_reopen(res->conf, &res->log_fd, &reason);

	if (r < 0) {
		if (!rotation->is_failing)
			log_error("%.*s", SPAN_ARGS(buf_span(&reason)));
		fail_for_now(rotation);
	} else {
		crew_set_log(rotation->crew, res->log_fd);
		counters_add(&own_counters(res)->log_rotations, 1);
		rotation->is_failing = rotation->is_owed = false;
		log_info("the log file had become long, and was begun anew");
	}
	buf_fini(&reason);
}

static void
rotate(struct rotation *rotation)
{
	const struct conf_gateway *conf = &rotation->resources->conf->gateway;
	int r = shift(conf->log_file, conf->log_keep);

	if (r == 0) {
		rotation->is_owed = true;
		finish(rotation);
		return;
	}
	if (!rotation->is_failing)
		log_error(
		    "the log file %s cannot be moved aside: %s", conf->log_file, strerror(-r));
	fail_for_now(rotation);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct rotation *rotation = arg;
	uint64_t limit = rotation->resources->conf->gateway.log_max_bytes, bytes = 0;

	(void)fd;
	(void)what;
	if (clock_mono_ms() < rotation->again_ms)
		return;
	if (rotation->is_owed)
		finish(rotation);
	else if (limit > 0 && is_ours(rotation->resources, &bytes) && bytes >= limit)
		rotate(rotation);
}

int
rotation_start(struct rotation *rotation, struct event_base *base, struct resources *resources,
    struct crew *crew)
{
	const struct timeval tick = { .tv_sec = TICK_S };

	memset(rotation, 0, sizeof(*rotation));
	if (event_assign(&rotation->timer, base, -1, EV_PERSIST, on_tick, rotation) < 0 ||
	    event_add(&rotation->timer, &tick) < 0)
		return -ENOMEM;
	rotation->resources = resources;
	rotation->crew = crew;
	return 0;
}

void
rotation_stop(struct rotation *rotation)
{
	if (rotation->crew != NULL)
		(void)event_del(&rotation->timer);
	rotation->crew = NULL;
}
