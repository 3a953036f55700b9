/*
 * Why this file exists: the life of the gateway as a whole, as a small state machine. Everything
 * that happens (a child became ready, ended, a signal, time is up) comes in through the event
 * loop and is answered according to the phase:
 *
 *	STARTING ──all ready──▶ SERVING ──TERM, INT──▶ STOPPING ──all ended──▶ over
 *	    │                      │                      │
 *	    └──── hopeless, TERM… ─┴──── QUIT, again ─────┴──▶ KILLING ──all ended──▶ over
 *
 * Phases are only left to the right. Nothing is freed before the loop has ended.
 */
#include "supervisor/supervisor.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/roster.h"
#include "conf/data.h"
#include "supervisor/announce.h"
#include "supervisor/crew.h"
#include "supervisor/guard.h"
#include "supervisor/handover.h"
#include "supervisor/logs.h"
#include "supervisor/reload.h"
#include "supervisor/resources.h"
#include "supervisor/service.h"
#include "supervisor/rotation.h"
#include "supervisor/signals.h"
#include "supervisor/watch.h"
#include "sys/proctitle.h"

enum {
	EARLY_DEATHS_MAX = 5,	    /* of one worker, before the gateway was ever ready: hopeless */
	DRAIN_GRACE_MS = 2000,	    /* beyond drain_timeout_ms */
	RESTART_EXPECTED_MS = 3000, /* when nothing is in flight for long */
	STATUS_FAILED = 1,
	STATUS_REFUSED = INHERIT_REFUSED,
};

enum phase { PHASE_STARTING, PHASE_SERVING, PHASE_STOPPING, PHASE_KILLING };

struct supervisor {
	const struct supervisor_options *options;
	const struct supervisor_program *program;
	enum phase phase;
	int status;   /* to exit with */
	int ready_fd; /* -1: told already */
	struct signals signals;
	struct handover handover; /* until the resources have it */
	struct resources resources;
	struct event_base *base;
	struct crew crew;
	struct watch watch;
	struct reload reload;
	struct service service;
	struct rotation rotation;
	struct event patience; /* ends in STOPPING: who has not ended by then is killed */
};

/* Tells whoever waits for the start how it went. */
static void
tell_ready(struct supervisor *s, const char *line)
{
	struct buf text = { 0 };

	if (s->ready_fd < 0)
		return;
	buf_printf(&text, "%s\n", line);
	if (write(s->ready_fd, text.data, text.len) < 0)
		log_debug("nobody waits for the start any more: %s", strerror(errno));
	buf_fini(&text);
	(void)close(s->ready_fd);
	s->ready_fd = -1;
}

static void
fail(struct supervisor *s, int status, int error, const char *reason)
{
	log_error("%s", reason);
	service_failed(&s->service, error, reason);
	tell_ready(s, reason);
	s->status = status;
}

/* The reason is taken. */
static void
fail_take(struct supervisor *s, int error, struct buf *reason)
{
	char *text = buf_steal(reason, NULL);

	fail(s, STATUS_FAILED, error, text != NULL ? text : "Out of memory");
	mem_free(text);
}

/*
 * --- phases -----------------------------------------------------------------------------------
 */

static void
finish_if_empty(struct supervisor *s)
{
	if (crew_running(&s->crew) == 0)
		(void)event_base_loopbreak(s->base);
}

static void
stop_at_once(struct supervisor *s)
{
	s->phase = PHASE_KILLING;
	service_stopping(&s->service, 0);
	reload_close(&s->reload);
	crew_kill(&s->crew);
	finish_if_empty(s);
}

static void
on_patience_ended(evutil_socket_t fd, short what, void *arg)
{
	struct supervisor *s = arg;

	(void)fd;
	(void)what;
	log_warning("%u processes have not ended in time: killed", crew_running(&s->crew));
	stop_at_once(s);
}

static void
stop_gracefully(struct supervisor *s, bool restarts)
{
	uint32_t drain_ms = s->resources.conf->gateway.drain_timeout_ms,
		 wait_ms = drain_ms + DRAIN_GRACE_MS;
	const struct timeval wait = { wait_ms / 1000, (suseconds_t)(wait_ms % 1000) * 1000 };
	int r;

	s->phase = PHASE_STOPPING;
	service_stopping(&s->service, wait_ms);
	reload_close(&s->reload);
	roster_set_stopping(segment_roster(s->resources.segment));
	r = announce_shutdown(s->resources.segment, restarts ? "restarting" : "stopping",
	    restarts ? RESTART_EXPECTED_MS : 0);
	if (r < 0)
		log_warning("gateway.shutdown could not be published: %s", strerror(-r));
	crew_drain(&s->crew, drain_ms);
	if (event_add(&s->patience, &wait) < 0)
		stop_at_once(s);
	finish_if_empty(s);
}

static void
begin_serving(struct supervisor *s)
{
	struct roster *roster = segment_roster(s->resources.segment);

	s->phase = PHASE_SERVING;
	roster_set_state(roster, segment_supervisor_slot(s->resources.segment), ROSTER_SERVING);
	log_info("the gateway is ready: %u workers", s->crew.wanted);
	tell_ready(s, "ready");
	service_ready(&s->service, &s->crew);
	reload_open(&s->reload);
}

static void
give_up(struct supervisor *s, int status, const char *reason)
{
	fail(s, status, 0, reason);
	stop_at_once(s);
}

/*
 * --- what happens -----------------------------------------------------------------------------
 */

static void
on_change(void *arg)
{
	struct supervisor *s = arg;

	switch (s->phase) {
	case PHASE_STARTING:
		if (crew_has_refused(&s->crew))
			give_up(s, STATUS_REFUSED, "A worker cannot work with this configuration");
		else if (crew_early_deaths(&s->crew) >= EARLY_DEATHS_MAX)
			give_up(s, STATUS_FAILED, "The workers die before they serve");
		else if (crew_is_serving(&s->crew))
			begin_serving(s);
		break;
	case PHASE_SERVING:
		if (crew_have_all_refused(&s->crew))
			give_up(s, STATUS_REFUSED, "No worker can work with this configuration");
		else
			reload_on_change(&s->reload);
		break;
	case PHASE_STOPPING:
	case PHASE_KILLING:
		finish_if_empty(s);
		break;
	}
}

static void
on_message(const struct child *child, const struct control_message *message, void *arg)
{
	struct supervisor *s = arg;

	if (!reload_on_message(&s->reload, child, message))
		log_debug("%s sent control message %u", child->name, message->type);
}

static void
on_stop_signal(struct supervisor *s, int number)
{
	bool graceful = number != SIGQUIT && s->phase < PHASE_STOPPING;

	if (s->phase == PHASE_KILLING)
		return;
	log_info("stopping %s: %s", graceful ? "gracefully" : "at once", strsignal(number));
	if (s->phase == PHASE_STARTING)
		tell_ready(s, "Stopped before it was ready");
	if (graceful)
		stop_gracefully(s, s->signals.value == SUPERVISOR_RESTARTS);
	else
		stop_at_once(s);
}

static void
on_signal(int number, void *arg)
{
	struct supervisor *s = arg;

	switch (number) {
	case SIGCHLD:
		crew_reap(&s->crew);
		break;
	case SIGTERM:
	case SIGINT:
	case SIGQUIT:
		on_stop_signal(s, number);
		break;
	case SIGHUP:
		reload_want(&s->reload);
		break;
	case SIGUSR1:
		rotation_reopen(&s->rotation);
		break;
	default:
		log_info("signal ignored: %s", strsignal(number));
		break;
	}
}

/*
 * --- life -------------------------------------------------------------------------------------
 */

static void
enter_roster(const struct supervisor *s)
{
	struct roster *roster = segment_roster(s->resources.segment);
	unsigned slot = segment_supervisor_slot(s->resources.segment);

	roster_set_gateway(roster, getpid(), clock_real_ms(), s->resources.workers);
	(void)roster_start(roster, slot, getpid(), clock_real_ms(), clock_mono_ms());
}

static int
prepare_loop(struct supervisor *s)
{
	int r;

	s->base = event_base_new();
	if (s->base == NULL)
		return -ENOMEM;
	if (evtimer_assign(&s->patience, s->base, on_patience_ended, s) < 0)
		return -ENOMEM;
	r = signals_watch(&s->signals, s->base, on_signal, s);
	if (r == 0)
		r = crew_init(
		    &s->crew, s->base, &s->resources, s->program->worker_main, s->options->title);
	if (r == 0)
		r = watch_start(&s->watch, s->base, &s->crew, &s->service);
	if (r == 0)
		r = rotation_start(&s->rotation, s->base, &s->resources, &s->crew);
	if (r == 0)
		r = reload_init(
		    &s->reload, s->base, s->options->reload, &s->resources, &s->crew, &s->service);
	return r;
}

static void
serve(struct supervisor *s)
{
	int r = prepare_loop(s);

	if (r < 0) {
		fail(s, STATUS_FAILED, r, "The event loop cannot be made");
		return;
	}
	enter_roster(s);
	crew_set_listener(&s->crew, on_change, on_message, s);
	crew_start(&s->crew);
	if (event_base_dispatch(s->base) < 0) {
		fail(s, STATUS_FAILED, 0, "The event loop has failed");
		crew_kill(&s->crew);
	}
}

static void
tear_down(struct supervisor *s)
{
	watch_stop(&s->watch);
	rotation_stop(&s->rotation);
	reload_close(&s->reload);
	crew_fini(&s->crew);
	signals_unwatch(&s->signals);
	if (s->base != NULL) {
		(void)event_del(&s->patience);
		event_base_free(s->base);
	}
}

/* Everything that needs the resources, which are given back at the end. */
static void
run(struct supervisor *s)
{
	struct buf reason = { 0 };
	int r;

	r = resources_open(
	    s->options->conf, s->options->foreground, &s->handover, &s->resources, &reason);
	if (r < 0) {
		fail_take(s, r, &reason);
		return;
	}
	buf_fini(&reason);
	resources_store(&s->resources);
	guard_warn(s->options->conf);
	guard_tell_fixed(s->options->conf);
	guard_warn_of_expiry(s->options->conf);
	serve(s);
	tear_down(s);
	if (s->status == 0)
		log_info("the gateway has stopped");
	resources_close(&s->resources, s->status == 0 ? RESOURCES_REMOVE : RESOURCES_LEAVE);
	reload_fini(&s->reload);
}

int
supervisor_run(const struct supervisor_options *options, const struct supervisor_program *program)
{
	struct supervisor s = {
		.options = options,
		.program = program,
		.ready_fd = options->ready_fd,
	};
	struct buf reason = { 0 };
	int r;

	/* What is made is for us alone, unless it is given away on purpose. */
	(void)umask(S_IRWXG | S_IRWXO);
	logs_begin(options->conf, options->foreground);
	log_set_process("supervisor");
	service_init(&s.service);
	if (options->title != NULL)
		proctitle_set(options->title, "lurkbot: supervisor");
	guard_forbid_core(options->conf);
	r = handover_take(&s.handover, &reason);
	if (r < 0) {
		fail_take(&s, r, &reason);
		return s.status;
	}
	r = signals_open(&s.signals);
	if (r < 0) {
		handover_close(&s.handover);
		fail(&s, STATUS_FAILED, r, "Signals cannot be received");
		return s.status;
	}
	run(&s);
	signals_close(&s.signals);
	return s.status;
}
