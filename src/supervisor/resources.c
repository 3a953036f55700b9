/*
 * Why this file exists: the order of a start. The port comes first, since a second start is the
 * most frequent mistake and must touch nothing of the first; then the lock, which nobody passes
 * while any process of an older gateway lives; and only who has it opens log and segment. Each
 * step that fails leaves one line for people.
 */
#include "supervisor/resources.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/ring.h"
#include "bus/roster.h"
#include "conf/data.h"
#include "conf/settings.h"
#include "supervisor/logs.h"
#include "supervisor/ownership.h"
#include "sys/descriptor.h"
#include "sys/listener.h"
#include "sys/lockfile.h"
#include "sys/notify.h"

enum {
	ORPHANS_WAIT_MS = 3000,
	BUSY_TRIES = 100,      /* of 10 ms each */
	WORKER_SLOTS_MIN = 64, /* so that a reload may raise the number of workers */
	SPARE_FILES = 64,      /* beside connections and bells: log, listeners, epoll, files read */
	MIB = 1024 * 1024,
	LOCAL_BACKLOG = 128, /* of run/gateway.sock */
	LOCAL_CONNECTIONS =
	    64, /* places in the directory for its clients, beyond max_connections */
};

/*
 * --- one line for people ----------------------------------------------------------------------
 */

static int
explain_binding(const struct resources *res, int error, pid_t holder, struct buf *reason)
{
	if (error == -EADDRINUSE)
		buf_append_cstr(reason, "Address already in use: ");
	else
		buf_append_cstr(reason, "Cannot listen on ");
	binding_write_address(reason, res->conf->gateway.host, res->conf->gateway.port);
	if (holder != 0)
		buf_printf(reason, " (held by the gateway with pid %d)", holder);
	if (error != -EADDRINUSE)
		buf_printf(reason, ": %s", strerror(-error));
	return error;
}

static int
explain_path(const char *what, const char *path, int error, struct buf *reason)
{
	buf_printf(reason, "Cannot %s %s: %s", what, path, strerror(-error));
	return error;
}

static struct segment_layout
layout_of(const struct resources *res)
{
	const struct conf_gateway *conf = &res->conf->gateway;

	return (struct segment_layout){
		.worker_slots = (uint32_t)max_size(res->workers, WORKER_SLOTS_MIN),
		.ring_bytes = conf->ring_bytes,
		.mailbox_bytes = conf->mailbox_bytes,
		.max_connections = conf->max_connections + LOCAL_CONNECTIONS,
	};
}

/* What of the segment is there already counts as free, for it is given back. */
static void
explain_no_room(const struct resources *res, struct buf *reason)
{
	const struct segment_layout layout = layout_of(res);
	uint64_t wanted = 0, room = 0;
	struct statvfs fs;

	(void)!segment_bytes_wanted(&layout, res->workers, &wanted);
	if (statvfs("/dev/shm", &fs) == 0)
		room = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (res->segment != NULL)
		room += segment_bytes_reserved(res->segment);
	buf_printf(reason,
	    "No room in /dev/shm for the shared segment %s: it takes %" PRIu64 " MiB, and %" PRIu64
	    " MiB are free; make it larger, or lower gateway.ring_bytes, gateway.mailbox_bytes or "
	    "gateway.workers",
	    res->segment_name, (wanted + MIB - 1) / MIB, room / MIB);
}

static int
explain_segment(const struct resources *res, int error, struct buf *reason)
{
	if (error == -ENOSPC || error == -ENOMEM)
		explain_no_room(res, reason);
	else if (error == -EBUSY)
		buf_printf(reason,
		    "The shared segment %s belongs to a gateway that still runs, though it does "
		    "not hold "
		    "%s: was that file removed? End that gateway first",
		    res->segment_name, res->lock_path);
	else
		(void)explain_path("open the shared segment", res->segment_name, error, reason);
	return error;
}

/*
 * --- what a configuration needs ---------------------------------------------------------------
 */

unsigned
resources_workers(const struct conf *conf)
{
	unsigned count = conf->gateway.workers;
	cpu_set_t cpus;

	if (count == 0) {
		count = 1;
		if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
			count = (unsigned)CPU_COUNT(&cpus);
	}
	return (unsigned)min_size(max_size(count, 1), SEGMENT_WORKER_SLOTS_MAX);
}

bool
resources_have_room(
    const struct resources *res, const struct conf *next, const struct setting *setting)
{
	const struct segment_layout *layout = segment_layout_of(res->segment);

	if (strcmp(setting->key, "gateway.workers") == 0)
		return resources_workers(next) <= layout->worker_slots;
	if (strcmp(setting->key, "gateway.max_connections") == 0)
		return next->gateway.max_connections + LOCAL_CONNECTIONS <= layout->max_connections;
	return true;
}

int
resources_reserve(const struct resources *res, const struct conf *conf)
{
	unsigned workers = resources_workers(conf);
	int r = 0;

	for (unsigned i = 0; i < workers && r == 0; i++)
		r = segment_reserve_worker(res->segment, i);
	return r;
}

/* The lock file tells the command line whom to signal, and people where the gateway listens. */
static int
write_address(const struct resources *res)
{
	struct buf line = { 0 };
	int r;

	binding_write_url(
	    &line, &res->binding, res->conf->gateway.host, res->conf->gateway.tls_enabled);
	buf_append_cstr(&line, "\n");
	r = buf_status(&line);
	if (r == 0)
		r = lockfile_write(res->lock_fd, buf_span(&line));
	buf_fini(&line);
	return r;
}

void
resources_set_conf(struct resources *res, const struct conf *conf)
{
	struct roster *roster = segment_roster(res->segment);
	struct roster_gateway now;

	res->conf = conf;
	res->workers = resources_workers(conf);
	roster_get_gateway(roster, &now);
	roster_set_gateway(roster, now.supervisor_pid, now.started_real_ms, res->workers);
	if (write_address(res) < 0)
		log_warning("the address in %s could not be renewed", res->lock_path);
}

/*
 * --- the steps --------------------------------------------------------------------------------
 */

static int
find_paths(struct resources *res, struct buf *reason)
{
	res->lock_path = paths_lock(res->conf->home);
	res->socket_path = paths_socket(res->conf->home);
	if (res->lock_path != NULL && res->socket_path != NULL)
		return 0;
	buf_append_cstr(reason, "Out of memory");
	return -ENOMEM;
}

static uint64_t
files_wanted(const struct resources *res)
{
	return (uint64_t)res->conf->gateway.max_connections + SEGMENT_SLOTS_MAX + SPARE_FILES;
}

static int
take_given(struct resources *res, struct buf *reason)
{
	struct handover *h = &res->handover;
	int bad = -1, r = binding_take_given(h->given, h->given_count, &res->binding, &bad);

	if (r < 0) {
		buf_printf(reason,
		    "Descriptor %d, passed by the service manager, cannot be used: %s", bad,
		    strerror(-r));
		return r;
	}
	h->given_count = 0;
	handover_drop_listeners(h);
	return 0;
}

static int
bind_port(struct resources *res, struct buf *reason)
{
	const struct conf_gateway *conf = &res->conf->gateway;
	const struct binding_request request = {
		.host = conf->host,
		.port = conf->port,
		.backlog = conf->listen_backlog,
		.lock_path = res->lock_path,
		.wait_ms = ORPHANS_WAIT_MS,
	};
	struct handover *h = &res->handover;
	pid_t holder = 0;
	int r;

	if (h->given_count > 0)
		return take_given(res, reason);
	if (binding_take_stored(&request, h->stored, h->stored_count, &res->binding)) {
		h->stored_count = 0;
		return 0;
	}
	handover_drop_listeners(h);
	r = binding_open(&request, &res->binding, &holder);
	return r < 0 ? explain_binding(res, r, holder, reason) : 0;
}

static int
make_folders(struct resources *res, struct buf *reason)
{
	static const char *const names[] = { "run", "logs", "data" };
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(names) && r == 0; i++)
		r = ownership_make_folder(res->conf, &res->identity, names[i], reason);
	return r;
}

static int
take_lock(struct resources *res, struct buf *reason)
{
	pid_t holder = 0;
	int r;

	r = lockfile_acquire(res->lock_path, ORPHANS_WAIT_MS, &res->lock_fd, &holder);
	if (r == -EWOULDBLOCK && holder != 0)
		buf_printf(reason, "Already running: the gateway with pid %d has the lock %s",
		    holder, res->lock_path);
	else if (r == -EWOULDBLOCK)
		buf_printf(
		    reason, "The lock %s is held, but not by a living gateway", res->lock_path);
	else if (r < 0)
		(void)explain_path("lock", res->lock_path, r, reason);
	return r;
}

static int
fill_lock(struct resources *res, struct buf *reason)
{
	int r = write_address(res);

	return r < 0 ? explain_path("write", res->lock_path, r, reason) : 0;
}

static int
make_tickets(struct resources *res, struct buf *reason)
{
	int r = tickets_init(&res->tickets, clock_mono_ms());

	if (r < 0)
		buf_printf(reason, "Cannot make keys: %s", strerror(-r));
	return r;
}

/* That which the service manager kept for us, or the one of our name, or a new one. */
static int
open_or_adopt(struct resources *res, const struct segment_layout *layout)
{
	int kept = res->handover.segment_fd;
	int r = kept >= 0 ? segment_adopt(kept, res->segment_name, layout, &res->segment) : -ESTALE;

	if (r == 0) {
		res->is_segment_kept = true;
		res->origin = SEGMENT_ADOPTED;
		return 0;
	}
	if (r == -EBUSY)
		return r;
	if (kept >= 0)
		log_warning(
		    "the segment that the service manager kept is of no use, and given up: %s",
		    r == -ESTALE ? "it was laid out for other settings, or by another version"
				 : strerror(-r));
	return segment_open(res->segment_name, layout, &res->segment, &res->origin);
}

static int
open_segment(struct resources *res, struct buf *reason)
{
	const struct segment_layout layout = layout_of(res);
	int r;

	r = paths_segment_name(res->conf->home, geteuid(), res->segment_name);
	if (r < 0)
		return explain_path("resolve", res->conf->home, r, reason);
	r = open_or_adopt(res, &layout);
	/* Whoever just let go of the lock file may be an instant away from letting go of this. */
	for (unsigned tries = 0; r == -EBUSY && tries < BUSY_TRIES; tries++) {
		const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };

		(void)nanosleep(&pause, NULL);
		r = open_or_adopt(res, &layout);
	}
	if (r == 0)
		r = resources_reserve(res, res->conf);
	return r < 0 ? explain_segment(res, r, reason) : 0;
}

static int
open_socket(struct resources *res, struct buf *reason)
{
	struct handover *h = &res->handover;
	int r;

	if (h->control_fd >= 0) {
		r = listener_prepare(h->control_fd);
		if (r < 0) {
			buf_printf(reason,
			    "Descriptor %d, passed as \"control\", cannot be used: %s",
			    h->control_fd, strerror(-r));
			return r;
		}
		res->unix_fd = h->control_fd;
		res->is_control_given = true;
		h->control_fd = -1;
		return 0;
	}
	r = listener_open_unix(res->socket_path, LOCAL_BACKLOG, &res->unix_fd);
	return r < 0 ? explain_path("listen on", res->socket_path, r, reason) : 0;
}

/*
 * --- what was got -----------------------------------------------------------------------------
 */

static void
log_files(const struct resources *res)
{
	uint64_t wanted = files_wanted(res), other = wanted - res->conf->gateway.max_connections;
	uint64_t room = res->files > other ? (res->files - other) * res->workers : 0;

	log_info(
	    "open files: %" PRIu64 " for each process, %" PRIu64 " wanted", res->files, wanted);
	if (room < res->conf->gateway.max_connections)
		log_warning("max_connections is %" PRIu32 ", but %u workers with %" PRIu64
			    " open files each can hold only about %" PRIu64,
		    res->conf->gateway.max_connections, res->workers, res->files, room);
}

/* The commands look for it in the home folder, where the unit has to have put it. */
static void
warn_of_control(const struct resources *res, const char *control)
{
	struct stat given, own;
	const char *path = control + strlen("unix:");

	if (!res->is_control_given ||
	    (stat(path, &given) == 0 && stat(res->socket_path, &own) == 0 &&
		given.st_dev == own.st_dev && given.st_ino == own.st_ino))
		return;
	log_warning("the control socket that was passed is %s: the commands look for %s", control,
	    res->socket_path);
}

static void
log_resources(const struct resources *res)
{
	const struct ring *ring = segment_ring(res->segment);
	char control[LISTENER_TEXT_MAX];
	struct buf address = { 0 };

	log_files(res);
	ownership_log(res->conf, &res->identity);
	binding_write_all(&address, &res->binding, res->conf->gateway.host);
	listener_text(res->unix_fd, control);
	log_info("listening on %.*s and %s%s", SPAN_ARGS(buf_span(&address)),
	    res->is_control_given ? control : res->socket_path,
	    res->binding.origin == BINDING_OPENED ? "" : ", by the service manager");
	buf_fini(&address);
	warn_of_control(res, control);
	log_info("shared segment %s %s: epoch %s, %" PRIu64 " events so far", res->segment_name,
	    res->origin == SEGMENT_ADOPTED ? "adopted" : "created", ring_epoch(ring),
	    ring_head(ring));
}

static int
open_all(struct resources *res, struct buf *reason)
{
	int r;

	r = descriptor_raise_limit(files_wanted(res), &res->files);
	if (r < 0)
		return explain_path("read", "RLIMIT_NOFILE", r, reason);
	if ((r = find_paths(res, reason)) < 0 ||
	    (r = ownership_decide(res->conf, &res->identity, reason)) < 0 ||
	    (r = bind_port(res, reason)) < 0 || (r = make_folders(res, reason)) < 0 ||
	    (r = take_lock(res, reason)) < 0 || (r = fill_lock(res, reason)) < 0 ||
	    (r = make_tickets(res, reason)) < 0 ||
	    (r = logs_open(res->conf, res->foreground, &res->log_fd, reason)) < 0 ||
	    (r = open_segment(res, reason)) < 0)
		return r;
	return open_socket(res, reason);
}

int
resources_open(const struct conf *conf, bool foreground, struct handover *handover,
    struct resources *ret, struct buf *reason)
{
	struct resources res = {
		.conf = conf,
		.foreground = foreground,
		.workers = resources_workers(conf),
		.lock_fd = -1,
		.log_fd = -1,
		.unix_fd = -1,
		.handover = *handover,
	};
	int r;

	handover_init(handover);
	r = open_all(&res, reason);
	if (r < 0) {
		resources_close(&res, RESOURCES_LEAVE);
		return r;
	}
	logs_tap(res.segment);
	log_resources(&res);
	handover_close(&res.handover);
	*ret = res;
	return 0;
}

void
resources_close(struct resources *res, enum resources_fate fate)
{
	binding_close(&res->binding);
	if (res->unix_fd >= 0) {
		if (!res->is_control_given)
			(void)unlink(res->socket_path);
		(void)close(res->unix_fd);
	}
	if (res->segment != NULL) {
		logs_tap(NULL);
		segment_close(res->segment);
		if (fate == RESOURCES_REMOVE || res->origin == SEGMENT_CREATED)
			(void)!segment_unlink(res->segment_name);
	}
	logs_close(res->conf, res->foreground, res->log_fd);
	if (res->lock_fd >= 0)
		lockfile_release(res->lock_fd);
	mem_free(res->lock_path);
	mem_free(res->socket_path);
	tickets_wipe(&res->tickets);
	handover_close(&res->handover);
}

void
resources_store(const struct resources *res)
{
	int fd = -1, r;

	if (!notify_is_wanted())
		return;
	if (res->binding.origin == BINDING_OPENED)
		handover_store_listeners(res->binding.fds, res->binding.count);
	if (res->is_segment_kept)
		return;
	r = segment_reopen(res->segment, &fd);
	if (r < 0) {
		log_warning("the segment cannot be given to the service manager: %s", strerror(-r));
		return;
	}
	handover_store_segment(fd);
	(void)close(fd);
}

void
resources_share(struct resources *res, struct inherit *inherit)
{
	inherit->conf = res->conf;
	inherit->segment = res->segment;
	inherit->tickets = &res->tickets;
	memcpy(inherit->listen_fds, res->binding.fds, sizeof(inherit->listen_fds));
	inherit->listen_count = res->binding.count;
	inherit->unix_fd = res->unix_fd;
	inherit->lock_fd = res->lock_fd;
	inherit->log_fd = res->log_fd;
	inherit->owner_uid = geteuid();
	inherit->identity = &res->identity;
}
