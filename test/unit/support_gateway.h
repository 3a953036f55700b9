/*
 * A stage for the gateway layer: two workers in one process, wired as worker/worker.c wires them, on
 * one segment, each with a poller of its own; and clients at the other ends of socket pairs. The
 * clients take no memory of base/alloc.h, so every allocation that is let fail is a worker's.
 *
 * Time that only passes is not waited for: `ahead_ms` is added to what the workers are told.
 */
#pragma once

#include "support_bus.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digits.h"
#include "base/random.h"
#include "bus/bell.h"
#include "bus/counters.h"
#include "bus/roster.h"
#include "conf/conf.h"
#include "gateway/poller.h"
#include "gateway/sender.h"
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
#include "gateway/fanout.h"
#include "gateway/httpd.h"
#include "gateway/parting.h"
#include "gateway/peers.h"
#include "gateway/publisher.h"
#include "gateway/recent.h"
#include "gateway/reloads.h"
#include "gateway/roll.h"
#include "gateway/stuck.h"
#include "gateway/traffic.h"
#include "gateway/turn.h"
#include "proto/deflate.h"
#include "proto/frame.h"

enum {
	STAGE_GATEWAYS = 2,
	STAGE_CLIENTS = 6,
	STAGE_HEARD_BYTES = 1 << 20,
	STAGE_TURNS = 200,
	STAGE_SLOW_BUFFER = 4096,
};

/* One client's end. What it heard is kept whole; `at` is how far frames were taken off it. */
struct stage_client {
	int fd; /* -1: it never came, or has gone */
	bool upgraded;
	bool refused;	  /* its connection could not be opened */
	bool ended;	  /* the worker has closed it */
	uint16_t code;	  /* of the Close frame, 0: none came */
	uint64_t seq;	  /* of the last event, or the position of the hello-ok */
	unsigned skipped; /* events that were neither sent nor covered by a gap */
	size_t heard, at;
	char bytes[STAGE_HEARD_BYTES + 1];
};

struct stage {
	struct bus *bus;
	struct conf conf;
	struct gateway gateways[STAGE_GATEWAYS];
	struct stage_client clients[STAGE_CLIENTS];
	uint64_t ahead_ms;
};

static struct stage stage;

/* --- workers -------------------------------------------------------------------------------- */

static inline void
stage_gateway_fini(struct gateway *g)
{
	struct list *first;

	while ((first = list_first(&g->connections)) != NULL)
		connection_abort(
		    container_of(first, struct connection, link), LEDGER_ADMIN, "the stage ends");
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
	deadlines_free(g->deadlines);
	buf_fini(&g->text);
	buf_fini(&g->reply);
	buf_fini(&g->inflated);
	buf_fini(&g->deflated);
	deflate_free(g->deflate);
	mem_free(g->read_buffer);
	sender_close(g);
	poller_free(g->poller);
	roster_end(g->roster, g->slot, false);
	segment_clear_slot(g->segment, g->slot);
}

/* False without memory; then it is to be ended like any other. */
static inline bool
stage_gateway_init(struct gateway *g, unsigned slot)
{
	static const uint32_t length_ms[DEADLINE_KINDS] = { 600000, 600000, 600000, 600000, 600000,
		2000 };

	static char nobody[] = "";

	*g = (struct gateway){ .conf = &stage.conf, .segment = stage.bus->segment, .slot = slot };
	g->ring = segment_ring(g->segment);
	g->directory = segment_directory(g->segment);
	g->roster = segment_roster(g->segment);
	g->visitors = segment_visitors(g->segment);
	g->providers = segment_providers(g->segment);
	g->idempotency = segment_idempotency(g->segment);
	g->ledger = segment_ledger(g->segment);
	g->on_parting = parting_note;
	g->counters = segment_counters(g->segment, slot);
	list_init(&g->connections);
	list_init(&g->dirty);
	list_init(&g->graveyard);
	list_init(&g->pendings);
	snprintf(g->host, sizeof(g->host), "stage");
	g->generation = roster_start(g->roster, slot, getpid(), clock_real_ms(), clock_mono_ms());
	census_refresh(g);
	g->poller = poller_new(connection_on_ready);
	g->read_buffer = mem_alloc(GATEWAY_READ_BYTES);
	g->deadlines = deadlines_new(length_ms, connection_on_deadline);
	if (stage.conf.gateway.auth_jwt_audience == NULL)
		stage.conf.gateway.auth_jwt_audience = nobody;
	g->auth = auth_new(&stage.conf);
	g->authprovider = authprovider_new();
	g->audiences = audiences_new();
	g->fanout = fanout_new();
	g->catchup = catchup_new();
	g->stuck = stuck_frames_new(g);
	g->deflate = deflate_new();
	g->publisher = publisher_new();
	g->recent = recent_new();
	g->peers = peers_new(roll_part_write);
	g->reloads = reloads_new(-1);
	if (sender_open(g) < 0 || g->auth == NULL || g->authprovider == NULL || g->poller == NULL ||
	    g->read_buffer == NULL || g->deadlines == NULL || g->audiences == NULL ||
	    g->fanout == NULL || g->catchup == NULL || g->stuck == NULL || g->deflate == NULL ||
	    g->publisher == NULL || g->recent == NULL || g->peers == NULL || g->reloads == NULL ||
	    !switchboard_init(g))
		return false;
	g->level_seq = ring_oldest(g->ring) > 0 ? ring_oldest(g->ring) - 1 : 0;
	ring_reader_attach(g->ring, slot, g->level_seq);
	roster_set_state(g->roster, slot, ROSTER_SERVING);
	return true;
}

/* --- clients -------------------------------------------------------------------------------- */

static inline struct stage_client *
stage_client(unsigned i)
{
	return &stage.clients[i];
}

static inline void
stage_listen(struct stage_client *c)
{
	ssize_t n;

	while (c->fd >= 0 && !c->ended) {
		assert_true(c->heard < STAGE_HEARD_BYTES);
		n = recv(c->fd, c->bytes + c->heard, STAGE_HEARD_BYTES - c->heard, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n > 0)
			c->heard += (size_t)n;
		else
			c->ended = true;
		c->bytes[c->heard] = '\0';
	}
}

/* Gives the workers turns until nothing moves any more. Clients in `deaf` (a mask) do not read. */
static inline void
stage_run(unsigned deaf)
{
	for (unsigned quiet = 0, turns = 0; quiet < 3; turns++) {
		bool more = false;

		assert_true(turns < STAGE_TURNS);
		for (unsigned i = 0; i < STAGE_GATEWAYS; i++) {
			struct gateway *g = &stage.gateways[i];

			more |= turn_end(g);
			(void)poller_turn(g->poller);
			bell_drain(g->segment, g->slot);
			turn_tick(g, clock_mono_ms() + stage.ahead_ms);
		}
		for (unsigned i = 0; i < STAGE_CLIENTS; i++) {
			size_t before = stage.clients[i].heard;

			if ((deaf & 1U << i) == 0)
				stage_listen(&stage.clients[i]);
			more |= stage.clients[i].heard != before;
		}
		quiet = more ? 0 : quiet + 1;
	}
}

/* The worker takes it in as worker/acceptor.c does. */
static inline void
stage_connect(unsigned i, unsigned worker, bool is_slow)
{
	struct gateway *g = &stage.gateways[worker];
	struct stage_client *c = stage_client(i);
	int pair[2], room = STAGE_SLOW_BUFFER;
	uint32_t id;

	c->upgraded = c->refused = c->ended = false;
	c->code = 0;
	c->seq = 0;
	c->skipped = 0;
	c->heard = c->at = 0;
	c->bytes[0] = '\0';
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	if (is_slow)
		setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	c->fd = pair[1];
	assert_int_equal(directory_claim(g->directory, g->slot, &id), 0);
	if (connection_open(g, pair[0], id, false, &httpd_handler) == NULL) {
		directory_release(g->directory, id);
		c->refused = true;
	}
}

static inline void
stage_hang_up(unsigned i)
{
	struct stage_client *c = stage_client(i);

	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

/* What the worker no longer takes is lost, as with any peer that has gone. */
static inline void
stage_say_bytes(unsigned i, const void *bytes, size_t n)
{
	ssize_t sent = send(stage_client(i)->fd, bytes, n, MSG_NOSIGNAL);

	assert_true(sent == (ssize_t)n || (sent < 0 && errno == EPIPE));
}

static inline void
stage_say(unsigned i, const char *text)
{
	stage_say_bytes(i, text, strlen(text));
}

/* One masked frame; the mask is 0, which masks nothing. */
static inline void
stage_say_frame(unsigned i, enum ws_opcode opcode, bool is_final, const char *text, size_t n)
{
	static const uint8_t mask[4] = { 0 };
	uint8_t header[14];
	size_t header_len = frame_header_write(header, opcode, is_final, n, mask);

	stage_say_bytes(i, header, header_len);
	stage_say_bytes(i, text, n);
}

static inline void
stage_say_text(unsigned i, const char *text)
{
	stage_say_frame(i, WS_TEXT, true, text, strlen(text));
}

/* --- what clients hear ---------------------------------------------------------------------- */

/* The number behind `"name":` in the text; 0 where there is none. */
static inline uint64_t
stage_number(struct span text, const char *name)
{
	char key[32];
	const char *at;
	uint64_t value = 0;

	snprintf(key, sizeof(key), "\"%s\":", name);
	at = memmem(text.p, text.n, key, strlen(key));
	for (at = at == NULL ? "" : at + strlen(key); *at >= '0' && *at <= '9'; at++)
		value = value * 10 + (uint64_t)(*at - '0');
	return value;
}

static inline bool
stage_has(struct span text, const char *part)
{
	return memmem(text.p, text.n, part, strlen(part)) != NULL;
}

/* Clients here take all events, so what is missing between two of them was lost on the way. */
static inline void
stage_note_event(struct stage_client *c, struct span text)
{
	uint64_t seq = stage_number(text, "seq");
	uint64_t from = stage_has(text, "\"gateway.gap\"") ? stage_number(text, "from") : seq;

	if (stage_has(text, "\"gateway.position\""))
		return;
	if (from != c->seq + 1)
		c->skipped++;
	c->seq = seq;
}

static inline void
stage_note_frame(struct stage_client *c, struct span frame)
{
	struct span payload = span_skip(frame, frame_payload_offset(frame));

	if (((unsigned char)frame.p[0] & 0x0f) == WS_CLOSE) {
		c->code =
		    (uint16_t)((unsigned char)payload.p[0] << 8 | (unsigned char)payload.p[1]);
		assert_int_equal(frame.n, (size_t)(c->bytes + c->heard - frame.p));
	} else if (span_has_prefix(payload, SPAN("{\"id\":\"evt_"))) {
		stage_note_event(c, payload);
	}
}

/* Takes the frames that have come; what is left must be the beginning of one. */
static inline void
stage_take(unsigned i)
{
	struct stage_client *c = stage_client(i);

	for (;;) {
		struct span rest = span_make(c->bytes + c->at, c->heard - c->at);
		uint64_t total = frame_total(rest);

		if (total == 0 || total > rest.n)
			break;
		/* Final, unmasked, without extensions: anything else is a stream that was torn. */
		assert_int_equal(rest.p[0] & 0x70, 0);
		assert_int_not_equal(rest.p[0] & 0x80, 0);
		assert_int_equal(rest.p[1] & 0x80, 0);
		stage_note_frame(c, span_make(rest.p, (size_t)total));
		c->at += (size_t)total;
	}
}

/* The first thing heard that has both parts; empty where there is none. */
static inline struct span
stage_find(unsigned i, const char *part)
{
	struct stage_client *c = stage_client(i);
	const char *at = memmem(c->bytes, c->heard, part, strlen(part));
	const char *end =
	    at == NULL ? NULL : memmem(at, (size_t)(c->bytes + c->heard - at), "}}", 2);

	if (at == NULL)
		return SPAN("");
	return span_make(at, (size_t)((end == NULL ? c->bytes + c->heard : end + 2) - at));
}
