/*
 * The listeners stand in an epoll descriptor of their own, with EPOLLEXCLUSIVE, which libevent does not know;
 * libevent watches that descriptor.  Several workers may wake for one connection: whoever is quickest has it,
 * the others find nothing.
 *
 * The gate: a worker with more than 5 % + 8 connections above the fewest leaves the listeners until it is
 * back within that; the one with the fewest never leaves, so somebody always accepts. One that stands still
 * does not count: it accepts nothing, and the others must not wait for it until the supervisor has killed it.
 */
#include "worker/acceptor.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/counters.h"
#include "bus/directory.h"
#include "bus/roster.h"
#include "bus/segment.h"
#include "conf/conf.h"
#include "gateway/census.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/httpd.h"
#include "gateway/respond.h"
#include "gateway/visit.h"
#include "sys/sockets.h"

enum {
	ACCEPT_EACH_TURN = 16,
	/* Answering 503 costs a descriptor for a while; beyond this many at a time they are just closed. */
	FULL_MAX = 64,
	PAUSE_MS = 100,
	QUIET_MS = 10 * 1000, /* without a pause before the next one is logged again */
	STILL_MS = 500,	      /* without a heartbeat, which comes five times as often */
	UNWATCHED_LINES_A_MINUTE = 1,
	GATE_PERCENT = 5,
	GATE_SLACK = 8,
};

struct listener {
	struct event event;
	struct acceptor *acceptor;
	int fd;
	int epoll_fd;
	bool local; /* run/gateway.sock: not gated, its clients are few and must get in */
	bool watched;
};

struct acceptor {
	struct gateway *gateway;
	uid_t owner_uid;
	int spare_fd; /* given up to accept and close when there is no descriptor left */
	uint64_t paused_until_ms;
	bool pausing; /* said so already */
	struct log_limit unwatched;
	unsigned count;
	struct listener listeners[INHERIT_LISTEN_MAX + 1];
};

/* It is tried again ten times a second. */
static void
log_unwatched(struct acceptor *a, int error)
{
	unsigned suppressed = 0;

	if (!log_limit_pass(&a->unwatched, clock_mono_ms(), UNWATCHED_LINES_A_MINUTE, &suppressed))
		return;
	if (suppressed > 0)
		log_warning("%u more of what follows were not logged", suppressed);
	log_warning("epoll_ctl on a listener: %s", strerror(error));
}

static void
watch(struct listener *l, bool wanted)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE };

	if (l->watched == wanted)
		return;
	if (epoll_ctl(l->epoll_fd, wanted ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, l->fd, &event) == 0)
		l->watched = wanted;
	else
		log_unwatched(l->acceptor, errno);
}

/* True while this worker has its fair share or less. */
static bool
is_within_share(const struct gateway *g)
{
	uint64_t own = counters_get(&g->counters->connections), fewest = own;
	uint64_t now_ms = clock_mono_ms();

	for (unsigned slot = 0; slot < census_slots_in_use(g); slot++) {
		struct roster_entry entry;
		uint64_t theirs;

		roster_get(g->roster, slot, &entry);
		if (entry.state != ROSTER_SERVING || entry.heartbeat_mono_ms + STILL_MS < now_ms)
			continue;
		theirs = counters_get(&segment_counters(g->segment, slot)->connections);
		if (theirs < fewest)
			fewest = theirs;
	}
	return own <= fewest + fewest * GATE_PERCENT / 100 + GATE_SLACK;
}

/* Any descriptor will do: a copy of one that is open needs no file, which a sandbox may refuse. */
static int
take_spare(const struct acceptor *a)
{
	return fcntl(a->listeners[0].epoll_fd, F_DUPFD_CLOEXEC, 0);
}

/* Something is short or broken: better pause than spin. */
static void
pause_accepting(struct acceptor *a, const char *why)
{
	counters_add(&a->gateway->counters->accept_paused, 1);
	if (!a->pausing)
		log_warning("accepting pauses: %s", why);
	a->pausing = true;
	a->paused_until_ms = clock_mono_ms() + PAUSE_MS;
	for (unsigned i = 0; i < a->count; i++)
		watch(&a->listeners[i], false);
}

/* No descriptor is left: one connection is accepted with the spare and closed, so that it is told. */
static void
on_no_descriptor(struct acceptor *a, const struct listener *l)
{
	int fd;

	if (a->spare_fd >= 0)
		close(a->spare_fd);
	fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	a->spare_fd = take_spare(a);
	pause_accepting(a, "no descriptor is left");
}

static bool
is_owner(const struct acceptor *a, int fd)
{
	uid_t uid;

	return socket_peer_uid(fd, &uid) == 0 && (uid == 0 || uid == a->owner_uid);
}

static void
refuse_full(struct acceptor *a, int fd)
{
	struct gateway *g = a->gateway;
	struct connection *c;

	if (g->refused >= FULL_MAX) {
		close(fd);
		return;
	}
	c = connection_open(g, fd, 0, false, &httpd_handler);
	if (c != NULL)
		respond_full(c);
}

static void
admit(struct acceptor *a, const struct listener *l, int fd)
{
	struct gateway *g = a->gateway;
	enum visitors_verdict verdict;
	struct connection *c;
	uint32_t id;

	if (l->local && !is_owner(a, fd)) {
		log_warning(
		    "somebody else's process connected to the control socket and was refused");
		close(fd);
		return;
	}
	if (!l->local && census_connections(g) >= g->conf->gateway.max_connections) {
		refuse_full(a, fd);
		return;
	}
	if (directory_claim(g->directory, g->slot, &id) != 0) {
		refuse_full(a, fd);
		return;
	}
	c = connection_open(g, fd, id, l->local, &httpd_handler);
	if (c == NULL) {
		directory_release(g->directory, id);
		log_error("out of memory: a connection was dropped");
		return;
	}
	verdict = visit_enter(c);
	if (verdict == VISITORS_TOO_MANY_CONNECTIONS || verdict == VISITORS_TOO_MANY_STRANGERS)
		respond_crowd(c, verdict);
}

static bool
accept_one(struct listener *l)
{
	struct acceptor *a = l->acceptor;
	int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		admit(a, l, fd);
		return true;
	}
	switch (errno) {
	case EAGAIN:
		return false;
	case EINTR:
	case ECONNABORTED:
	case EPROTO: /* accept(2): what went wrong with the connection itself is no reason to stop */
	case ENETDOWN:
	case ENETUNREACH:
	case EHOSTDOWN:
	case EHOSTUNREACH:
		return true;
	case EMFILE:
	case ENFILE:
		on_no_descriptor(a, l);
		return false;
	default:
		pause_accepting(a, strerror(errno));
		return false;
	}
}

static void
on_acceptable(evutil_socket_t epoll_fd, short what, void *arg)
{
	struct listener *l = arg;
	struct epoll_event event;

	(void)what;
	/* Takes the event off the inner epoll descriptor, which libevent sees as readable. */
	if (epoll_wait(epoll_fd, &event, 1, 0) < 0 && errno != EINTR)
		log_warning("epoll_wait on a listener: %s", strerror(errno));
	for (unsigned i = 0; i < ACCEPT_EACH_TURN; i++) {
		if (!l->local && !is_within_share(l->acceptor->gateway)) {
			watch(l, false);
			return;
		}
		if (!accept_one(l))
			return;
	}
}

static int
add_listener(struct acceptor *a, int fd, bool local)
{
	struct listener *l = &a->listeners[a->count];

	l->acceptor = a;
	l->fd = fd;
	l->local = local;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0)
		return -1;
	a->count++;
	watch(l, true);
	event_assign(
	    &l->event, a->gateway->base, l->epoll_fd, EV_READ | EV_PERSIST, on_acceptable, l);
	return l->watched ? event_add(&l->event, NULL) : -1;
}

struct acceptor *
acceptor_new(struct gateway *g, const struct inherit *inherit)
{
	struct acceptor *a = mem_zalloc(sizeof(*a));
	int failed = 0;

	if (a == NULL)
		return NULL;
	a->gateway = g;
	a->owner_uid = inherit->owner_uid;
	a->spare_fd = -1;
	for (unsigned i = 0; i < inherit->listen_count; i++)
		failed |= add_listener(a, inherit->listen_fds[i], false);
	failed |= add_listener(a, inherit->unix_fd, true);
	a->spare_fd = take_spare(a);
	if (failed != 0) {
		acceptor_free(a);
		return NULL;
	}
	return a;
}

void
acceptor_free(struct acceptor *a)
{
	if (a == NULL)
		return;
	for (unsigned i = 0; i < a->count; i++) {
		struct listener *l = &a->listeners[i];

		if (event_initialized(&l->event))
			event_del(&l->event);
		close(l->epoll_fd);
	}
	if (a->spare_fd >= 0)
		close(a->spare_fd);
	mem_free(a);
}

void
acceptor_tick(struct acceptor *a, uint64_t now_ms)
{
	bool within;

	if (a->paused_until_ms > now_ms)
		return;
	within = is_within_share(a->gateway);
	for (unsigned i = 0; i < a->count; i++)
		watch(&a->listeners[i], a->listeners[i].local || within);
	if (a->paused_until_ms + QUIET_MS < now_ms)
		a->pausing = false;
}
