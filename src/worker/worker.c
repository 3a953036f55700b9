/*
 * Wires the modules of a worker together and turns its event loop.
 *
 * The loop is turned by hand, one round of callbacks at a time, because what each round leaves behind (the
 * ring, queued answers, closed connections) is dealt with once for all of it.
 */
#include "worker/worker.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/bell.h"
#include "bus/counters.h"
#include "bus/ring.h"
#include "bus/roster.h"
#include "bus/segment.h"
#include "conf/conf.h"
#include "gateway/audience.h"
#include "gateway/auth.h"
#include "gateway/authprovider.h"
#include "gateway/catchup.h"
#include "gateway/census.h"
#include "gateway/connection.h"
#include "gateway/connections.h"
#include "gateway/context.h"
#include "gateway/deadlines.h"
#include "gateway/switchboard.h"
#include "gateway/direct.h"
#include "gateway/fanout.h"
#include "gateway/parting.h"
#include "gateway/peers.h"
#include "gateway/poller.h"
#include "gateway/publisher.h"
#include "gateway/recent.h"
#include "gateway/reloads.h"
#include "gateway/roll.h"
#include "gateway/secure.h"
#include "gateway/sender.h"
#include "gateway/stuck.h"
#include "gateway/traffic.h"
#include "gateway/turn.h"
#include "proto/deflate.h"
#include "sys/control.h"
#include "sys/sandbox.h"
#include "sys/tickets.h"
#include "sys/tls_context.h"
#include "worker/acceptor.h"
#include "worker/drain.h"
#include "worker/reconfigure.h"

enum {
	TICK_MS = 100,
};

struct worker {
	struct gateway gateway;
	const struct inherit *inherit;
	struct acceptor *acceptor;
	struct drain drain;
	struct reconfigure reconfigure;
	struct event poller_event;
	struct event control_event;
	struct event bell_event;
	struct event tick_event;
	uint64_t looked_ms; /* when all was looked at last */
};

static void
on_bell(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	bell_drain(w->gateway.segment, w->gateway.slot);
}

static void
on_poller(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	poller_turn(w->gateway.poller);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	uint64_t now_ms = clock_mono_ms();

	(void)fd;
	(void)what;
	roster_beat(w->gateway.roster, w->gateway.slot, now_ms);
	counters_add(&w->gateway.counters->log_lines_lost, log_take_lost());
	if (w->gateway.tickets != NULL && tickets_advance(w->gateway.tickets, now_ms) < 0)
		log_warning("keys of TLS sessions could not be changed: out of memory");
	if (w->acceptor != NULL)
		acceptor_tick(w->acceptor, now_ms);
	turn_tick(&w->gateway, now_ms);
	drain_tick(&w->drain, &w->gateway, now_ms);
}

static int
start_drain(struct worker *w, const struct control_message *message)
{
	struct control_drain order;

	if (control_read_drain(message, &order) < 0)
		return -EBADMSG;
	acceptor_free(w->acceptor);
	w->acceptor = NULL;
	roster_set_state(w->gateway.roster, w->gateway.slot, ROSTER_DRAINING);
	if (order.reason == CONTROL_REASON_RETIRING)
		drain_retire(&w->drain, &w->gateway, order.timeout_ms, clock_mono_ms());
	else
		drain_start(&w->drain, &w->gateway, order.timeout_ms, clock_mono_ms());
	return 0;
}

/* The old file may have been moved away, or be about to vanish. */
static int
change_log(struct control_message *message)
{
	int fd = -1, r = control_take_log(message, &fd);

	if (r < 0)
		return r;
	fd = log_set_file(fd);
	if (fd >= 0)
		close(fd);
	return 0;
}

static int
on_message(struct worker *w, int fd, struct control_message *message)
{
	switch (message->type) {
	case CONTROL_DRAIN:
		return start_drain(w, message);
	case CONTROL_CONFIG:
		return reconfigure_take(&w->reconfigure, &w->gateway, fd, message);
	case CONTROL_OUTCOME:
		return reloads_on_outcome(&w->gateway, message);
	case CONTROL_LOG:
		return change_log(message);
	default:
		return -EBADMSG;
	}
}

static void
on_control(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct control_message message;
	int r;

	(void)what;
	while ((r = control_receive(fd, &message)) == 1) {
		r = on_message(w, fd, &message);
		if (r < 0)
			log_warning("a control message of type %u came to nothing: %s",
			    message.type, strerror(-r));
		control_message_close(&message);
	}
	/* Without a supervisor nobody restarts, stops or watches us: the port has to become free. */
	if (r == 0)
		_exit(1);
	if (r != -EAGAIN)
		log_warning("control socket: %s", strerror(-r));
}

static void
fill_names(struct gateway *g, const struct inherit *inherit)
{
	if (gethostname(g->host, sizeof(g->host) - 1) != 0)
		snprintf(g->host, sizeof(g->host), "localhost");
	g->listen_fds = inherit->listen_fds;
	g->listen_count = inherit->listen_count;
}

static struct deadlines *
new_deadlines(const struct conf *conf)
{
	uint32_t length_ms[DEADLINE_KINDS];

	reconfigure_lengths(conf, length_ms);
	return deadlines_new(length_ms, connection_on_deadline);
}

static bool
gateway_init(struct gateway *g, const struct inherit *inherit)
{
	g->conf = inherit->conf;
	g->segment = inherit->segment;
	g->slot = inherit->slot;
	g->generation = inherit->generation;
	g->ring = segment_ring(g->segment);
	g->directory = segment_directory(g->segment);
	g->roster = segment_roster(g->segment);
	g->visitors = segment_visitors(g->segment);
	g->providers = segment_providers(g->segment);
	g->idempotency = segment_idempotency(g->segment);
	g->ledger = segment_ledger(g->segment);
	g->on_parting = parting_note;
	g->counters = segment_counters(g->segment, g->slot);
	list_init(&g->connections);
	list_init(&g->dirty);
	list_init(&g->graveyard);
	list_init(&g->pendings);
	g->tickets = inherit->tickets;
	if (secure_context_new(g->conf, g->tickets, &g->tls) < 0)
		return false;
	fill_names(g, inherit);
	census_refresh(g);
	g->read_buffer = mem_alloc(GATEWAY_READ_BYTES);
	g->poller = poller_new(connection_on_ready);
	g->deadlines = new_deadlines(g->conf);
	g->auth = auth_new(g->conf);
	g->authprovider = authprovider_new();
	g->audiences = audiences_new();
	g->fanout = fanout_new();
	g->catchup = catchup_new();
	g->stuck = stuck_frames_new(g);
	g->deflate = deflate_new();
	g->publisher = publisher_new();
	g->recent = recent_new();
	g->peers = peers_new(roll_part_write);
	g->reloads = reloads_new(inherit->control_fd);
	if (g->peers != NULL)
		peers_listen(g->peers, MAIL_EVENT, direct_on_mail);
	return g->read_buffer != NULL && g->poller != NULL && g->deadlines != NULL &&
	       g->auth != NULL && g->authprovider != NULL && g->audiences != NULL &&
	       g->fanout != NULL && g->catchup != NULL && g->stuck != NULL && g->deflate != NULL &&
	       g->publisher != NULL && g->recent != NULL && g->peers != NULL &&
	       g->reloads != NULL && switchboard_init(g);
}

/*
 * What the ring still holds is read once before the first client: it fills the recent sessions.  Then the
 * reader is level with the others.
 */
static void
read_history(struct gateway *g)
{
	uint64_t oldest = ring_oldest(g->ring);

	g->level_seq = oldest > 0 ? oldest - 1 : 0;
	ring_reader_attach(g->ring, g->slot, g->level_seq);
	while (fanout_pump(g))
		roster_beat(g->roster, g->slot, clock_mono_ms());
}

static bool
start_events(struct worker *w)
{
	struct gateway *g = &w->gateway;
	const struct timeval tick = { .tv_usec = TICK_MS * 1000 };

	g->base = event_base_new();
	if (g->base == NULL)
		return false;
	event_assign(
	    &w->poller_event, g->base, poller_fd(g->poller), EV_READ | EV_PERSIST, on_poller, w);
	event_assign(&w->control_event, g->base, w->inherit->control_fd, EV_READ | EV_PERSIST,
	    on_control, w);
	event_assign(&w->bell_event, g->base, segment_bell_fd(g->segment, g->slot),
	    EV_READ | EV_PERSIST, on_bell, w);
	event_assign(&w->tick_event, g->base, -1, EV_PERSIST, on_tick, w);
	if (event_add(&w->poller_event, NULL) != 0 || event_add(&w->control_event, NULL) != 0 ||
	    event_add(&w->bell_event, NULL) != 0 || event_add(&w->tick_event, &tick) != 0)
		return false;
	w->acceptor = acceptor_new(g, w->inherit);
	return w->acceptor != NULL;
}

static void
worker_free(struct worker *w)
{
	struct gateway *g = &w->gateway;

	acceptor_free(w->acceptor);
	drain_abort_all(g);
	connections_bury(g);
	traffic_free_spares(g);
	switchboard_fini(g);
	peers_free(g->peers);
	reloads_free(g->reloads);
	recent_free(g->recent);
	publisher_free(g->publisher);
	fanout_free(g->fanout);
	catchup_free(g->catchup);
	stuck_frames_free(g->stuck);
	audiences_free(g->audiences);
	auth_free(g->auth);
	authprovider_free(g->authprovider);
	tls_context_unref(g->tls);
	deadlines_free(g->deadlines);
	buf_fini(&g->text);
	buf_fini(&g->reply);
	buf_fini(&g->inflated);
	buf_fini(&g->deflated);
	deflate_free(g->deflate);
	mem_free(g->read_buffer);
	if (g->base != NULL) {
		event_del(&w->poller_event);
		event_del(&w->control_event);
		event_del(&w->bell_event);
		event_del(&w->tick_event);
		event_base_free(g->base);
	}
	poller_free(g->poller);
	sender_close(g);
	reconfigure_fini(&w->reconfigure);
	mem_free(w);
}

/*
 * While clients keep us busy, they are all that is looked at; the rest (listeners, the tick, the supervisor)
 * has its turn once a millisecond.
 */
static void
turn(struct worker *w)
{
	struct gateway *g = &w->gateway;
	bool more = turn_end(g);
	uint64_t now_ms = clock_mono_ms();

	if (now_ms == w->looked_ms &&
	    (poller_turn(g->poller) || (!more && poller_yield(g->poller))))
		return;
	event_base_loop(g->base, EVLOOP_ONCE | (more ? EVLOOP_NONBLOCK : 0));
	w->looked_ms = clock_mono_ms();
}

static void
run(struct worker *w)
{
	struct gateway *g = &w->gateway;

	while (!w->drain.done)
		turn(w);
	turn_end(g);
}

/* INHERIT_REFUSED when the configuration asks for a way out that there is not. */
static int
choose_sender(struct gateway *g)
{
	int r = sender_open(g);

	if (r == 0)
		return 0;
	log_error("gateway.sender: %s%s", strerror(-r),
	    r == -ENOMEM ? "" : "; io_uring is not to be had here, use auto or send");
	return r == -ENOMEM ? 1 : INHERIT_REFUSED;
}

/* All that is needed from outside is open by now. */
static int
close_sandbox(const struct gateway *g)
{
	int r = g->conf->gateway.sandbox ? sandbox_enter(g->uring != NULL) : 0;

	if (r == 0)
		return 0;
	log_error(
	    "gateway.sandbox: the filter of system calls cannot be had here: %s", strerror(-r));
	return INHERIT_REFUSED;
}

static int
serve(struct worker *w)
{
	struct gateway *g = &w->gateway;
	int status;

	if (!gateway_init(g, w->inherit) || !start_events(w)) {
		log_error("the worker could not start: %s", strerror(errno));
		return 1;
	}
	status = choose_sender(g);
	if (status != 0)
		return status;
	read_history(g);
	status = close_sandbox(g);
	if (status != 0)
		return status;
	roster_set_state(g->roster, g->slot, ROSTER_SERVING);
	roster_beat(g->roster, g->slot, clock_mono_ms());
	if (control_send(w->inherit->control_fd, CONTROL_READY, NULL, 0, NULL, 0) < 0)
		return 1;
	run(w);
	return 0;
}

int
worker_main(const struct inherit *inherit)
{
	struct worker *w = mem_zalloc(sizeof(*w));
	int status;

	if (w == NULL)
		return 1;
	w->inherit = inherit;
	status = serve(w);
	worker_free(w);
	return status;
}
