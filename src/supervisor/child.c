/*
 * Why this file exists: the life of one row, from fork to reaping and again. The row is in the
 * event loop by two events, its control socket, and a timer: of its next start while there is no
 * process, and of its end while that is expected.
 */
#include "supervisor/child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "bus/counters.h"
#include "bus/obituary.h"
#include "bus/roster.h"
#include "bus/segment.h"
#include "supervisor/spawn.h"
#include "sys/control.h"

enum { RETIRE_GRACE_MS = 5000 }; /* beyond the time that it was given */

static struct roster *
roster_of(const struct child *child)
{
	return segment_roster(child->context->shared.segment);
}

static void
close_control(struct child *child)
{
	if (child->control_fd < 0)
		return;
	(void)event_del(&child->control_event);
	(void)close(child->control_fd);
	child->control_fd = -1;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct child *child = arg;

	(void)fd;
	(void)what;
	if (child->pid != 0)
		child_kill(child, "has not retired in time");
	else
		child_start(child);
}

static int
set_timer(struct child *child, uint64_t wait_ms)
{
	const struct timeval wait = { (time_t)(wait_ms / 1000),
		(suseconds_t)(wait_ms % 1000) * 1000 };

	return event_add(&child->timer, &wait);
}

static void
start_later(struct child *child, uint32_t wait_ms)
{
	child->state = CHILD_WAITING;
	if (set_timer(child, wait_ms) < 0)
		log_error("%s cannot be started again: out of memory", child->name);
}

static void
on_ready(struct child *child)
{
	if (child->state != CHILD_STARTING)
		return;
	child->state = CHILD_SERVING;
	child->ready_ms = clock_mono_ms();
	log_info("%s is ready", child->name);
	child->context->on_change(child->context->arg);
}

static void
on_message(struct child *child, const struct control_message *msg)
{
	if (msg->type == CONTROL_READY)
		on_ready(child);
	else if (child->context->on_message != NULL)
		child->context->on_message(child, msg, child->context->arg);
}

static void
on_control(evutil_socket_t fd, short what, void *arg)
{
	struct control_message msg;
	struct child *child = arg;
	int r;

	(void)what;
	r = control_receive((int)fd, &msg);
	if (r == -EAGAIN)
		return;
	if (r > 0) {
		/* None that a child sends carries descriptors. */
		control_message_close(&msg);
		on_message(child, &msg);
		return;
	}
	close_control(child);
	/*
	 * At the end of file it is about to be reaped; anything else is a process out of order.
	 */
	if (r < 0)
		child_kill(child, r == -EBADMSG ? "sent a broken control message" : strerror(-r));
}

int
child_init(struct child *child, struct child_context *context, const struct child_kind *kind,
    unsigned slot, unsigned number)
{
	memset(child, 0, sizeof(*child));
	child->context = context;
	child->kind = kind;
	child->slot = slot;
	child->control_fd = -1;
	(void)snprintf(child->name, sizeof(child->name), "%s %u", kind->name, number);
	return evtimer_assign(&child->timer, context->base, on_timer, child) < 0 ? -ENOMEM : 0;
}

void
child_fini(struct child *child)
{
	close_control(child);
	if (child->context != NULL)
		(void)event_del(&child->timer);
}

/* Forks the process that the row now describes, with FDS as its control socket. */
static int
spawn(struct child *child, const int fds[2])
{
	struct child_context *context = child->context;
	struct inherit inherit = context->shared;
	const struct spawn_order order = {
		.main = child->kind->main,
		.inherit = &inherit,
		.name = child->name,
		.title = context->title,
	};
	pid_t pid;
	int r;

	inherit.slot = child->slot;
	inherit.control_fd = fds[1];
	/* In the roster before it runs: it may look itself up at once. */
	inherit.generation =
	    roster_start(roster_of(child), child->slot, 0, clock_real_ms(), clock_mono_ms());
	r = spawn_child(&order, &pid);
	if (r < 0)
		return r;
	roster_set_pid(roster_of(child), child->slot, pid);
	child->pid = pid;
	child->control_fd = fds[0];
	return 0;
}

static int
start_process(struct child *child)
{
	int fds[2], r;

	r = control_pair(fds);
	if (r < 0)
		return r;
	r = spawn(child, fds);
	(void)close(fds[1]);
	if (r < 0) {
		(void)close(fds[0]);
		return r;
	}
	if (event_assign(&child->control_event, child->context->base, fds[0], EV_READ | EV_PERSIST,
		on_control, child) < 0 ||
	    event_add(&child->control_event, NULL) < 0)
		/* It would never be known to be ready; another one may be. */
		child_kill(child, "cannot be listened to");
	return 0;
}

/* How long to wait after a life that ended now. */
static uint32_t
next_wait_ms(struct child *child)
{
	const struct backoff_life life = {
		.started_ms = child->started_ms,
		.ready_ms = child->ready_ms,
		.ended_ms = clock_mono_ms(),
	};

	return backoff_after(&child->backoff, &life);
}

void
child_start(struct child *child)
{
	int r;

	child->starts++;
	child->started_ms = clock_mono_ms();
	child->ready_ms = 0;
	r = start_process(child);
	if (r < 0) {
		child->early_deaths++;
		roster_end(roster_of(child), child->slot, true);
		log_error("%s cannot be started: %s", child->name, strerror(-r));
		start_later(child, next_wait_ms(child));
		return;
	}
	child->state = CHILD_STARTING;
	log_info("%s started with pid %d", child->name, child->pid);
}

/* How a process ended, in words. */
static void
describe_end(int status, char *text, size_t cap)
{
	if (WIFSIGNALED(status))
		(void)snprintf(text, cap, "was killed by signal %d (%s)%s", WTERMSIG(status),
		    strsignal(WTERMSIG(status)), WCOREDUMP(status) ? ", core dumped" : "");
	else
		(void)snprintf(text, cap, "ended with status %d", WEXITSTATUS(status));
}

static void
log_end(const struct child *child, pid_t pid, int status, const char *what_now)
{
	enum log_level level = LOG_LEVEL_WARNING;
	char text[96];

	if (status == 0 && (child->context->stopping || child->state == CHILD_RETIRING))
		level = LOG_LEVEL_INFO;
	describe_end(status, text, sizeof(text));
	log_at(level, 0, "%s (pid %d) %s%s", child->name, pid, text, what_now);
}

/* What the ledger says of the connections that the process had: only one that was killed had any. */
static void
write_obituaries(const struct child *child, int status)
{
	struct segment *segment = child->context->shared.segment;
	struct counters *own = segment_counters(segment, segment_supervisor_slot(segment));
	char end[96], reason[160];

	describe_end(status, end, sizeof(end));
	(void)snprintf(reason, sizeof(reason), "%s (pid %d) %s", child->name, child->pid, end);
	counters_add(&own->closes_by_cause[LEDGER_WORKER_DIED],
	    obituary_write(segment_ledger(segment), segment_directory(segment), child->slot,
		LEDGER_WORKER_DIED, reason));
}

/* The process left nothing that another could stumble over. */
static void
clean_up(struct child *child, int status, bool will_restart)
{
	close_control(child);
	(void)event_del(&child->timer);
	write_obituaries(child, status);
	child->pid = 0;
	roster_end(roster_of(child), child->slot, will_restart);
	segment_clear_slot(child->context->shared.segment, child->slot);
}

static void
restart(struct child *child, pid_t pid, int status)
{
	uint32_t wait_ms = next_wait_ms(child);
	char what_now[64] = ": it is started again";

	if (child->state == CHILD_STARTING)
		child->early_deaths++;
	if (wait_ms > 0)
		(void)snprintf(
		    what_now, sizeof(what_now), ": it is started again in %u ms", wait_ms);
	log_end(child, pid, status, what_now);
	clean_up(child, status, true);
	start_later(child, wait_ms);
}

/* Its successor, where one is wanted again meanwhile, need not wait. */
static void
end_retirement(struct child *child, pid_t pid, int status)
{
	log_end(child, pid, status, ": it was to retire");
	clean_up(child, status, false);
	child->state = CHILD_EMPTY;
	if (child->is_wanted)
		child_start(child);
}

void
child_ended(struct child *child, int status)
{
	pid_t pid = child->pid;

	if (child->context->stopping) {
		log_end(child, pid, status, "");
		clean_up(child, status, false);
		child->state = CHILD_ENDED;
		return;
	}
	if (child->state == CHILD_RETIRING) {
		end_retirement(child, pid, status);
		return;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == INHERIT_REFUSED) {
		log_end(child, pid, status,
		    ": it cannot work with this configuration, and is not started again");
		clean_up(child, status, false);
		child->state = CHILD_REFUSED;
		return;
	}
	restart(child, pid, status);
}

void
child_want(struct child *child)
{
	child->is_wanted = true;
	/* One that refused the last configuration may like this one. */
	if (child->state == CHILD_EMPTY || child->state == CHILD_REFUSED)
		child_start(child);
}

void
child_retire(struct child *child, uint32_t timeout_ms)
{
	int r;

	child->is_wanted = false;
	if (child->state == CHILD_RETIRING)
		return;
	if (child->pid == 0) {
		(void)event_del(&child->timer);
		roster_end(roster_of(child), child->slot, false);
		child->state = CHILD_EMPTY;
		return;
	}
	child->state = CHILD_RETIRING;
	log_info("%s retires", child->name);
	r = child->control_fd < 0
		? -EPIPE
		: control_send_drain(child->control_fd, timeout_ms, CONTROL_REASON_RETIRING);
	if (r == 0)
		r = set_timer(child, (uint64_t)timeout_ms + RETIRE_GRACE_MS);
	if (r < 0)
		child_kill(child, "cannot be told to retire");
}

void
child_configure(const struct child *child, uint64_t number, int config_fd)
{
	int r = child->control_fd < 0 ? -EPIPE
				      : control_send_config(child->control_fd, number, config_fd);

	/* One whose end of the socket is closed is at its end, and about to be reaped. */
	if (r < 0 && r != -EPIPE && r != -ECONNRESET)
		child_kill(child, "cannot be handed the configuration");
}

void
child_change_log(const struct child *child, int log_fd)
{
	int r = child->control_fd < 0 ? -EPIPE : control_send_log(child->control_fd, log_fd);

	if (r < 0)
		child_kill(child, "cannot be handed the log");
}

void
child_answer(
    const struct child *child, uint64_t ticket, enum control_verdict verdict, struct span text)
{
	/* Without its control socket it is dead or about to be. */
	if (child->control_fd >= 0 &&
	    control_send_outcome(child->control_fd, ticket, verdict, text) < 0)
		child_kill(child, "cannot be told how a reload went");
}

void
child_drain(struct child *child, uint32_t timeout_ms)
{
	int r;

	if (child->pid == 0) {
		(void)event_del(&child->timer);
		child->state = CHILD_ENDED;
		return;
	}
	r = child->control_fd >= 0
		? control_send_drain(child->control_fd, timeout_ms, CONTROL_REASON_STOPPING)
		: -EPIPE;
	if (r < 0)
		child_kill(child, "cannot be told to stop");
}

void
child_kill(const struct child *child, const char *reason)
{
	if (child->pid == 0)
		return;
	if (reason != NULL)
		log_warning("%s (pid %d) %s: killed", child->name, child->pid, reason);
	(void)kill(child->pid, SIGKILL);
}
