/*
 * The one context of a worker process: what every module of the gateway layer needs to find.
 *
 * It is plain data.  The worker fills it once, after the fork, and hands it to each module; modules
 * reach each other through it and never through globals.  Modules own what they hang in here: the
 * context neither allocates nor frees any of it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/log.h"
#include "base/span.h"
#include "gateway/byid.h"
#include "bus/ledger.h"

struct audiences;
struct auth;
struct authprovider;
struct calls;
struct catchup;
struct conf;
struct connection;
struct counters;
struct deadlines;
struct deflate;
struct directory;
struct event_base;
struct fanout;
struct idempotency;
struct jobs;
struct kept;
struct peers;
struct poller;
struct providers;
struct publisher;
struct recent;
struct reloads;
struct ring;
struct roster;
struct routes;
struct segment;
struct sender;
struct stuck_frames;
struct tickets;
struct tls_context;
struct traffic;
struct uring;
struct visitors;

enum {
	/* One read takes at most this much, so one busy peer cannot keep the loop to itself. */
	GATEWAY_READ_BYTES = 64 * 1024,
};

struct gateway {
	const struct conf *conf;
	struct event_base *base;

	/* shared memory, and which part of it is ours to write */
	struct segment *segment;
	struct ring *ring;
	struct directory *directory;
	struct roster *roster;
	struct ledger *ledger;
	struct visitors *visitors;
	struct providers *providers;
	struct idempotency *idempotency;
	uint32_t visitors_round; /* in which all connections are counted */
	struct counters *counters;
	unsigned slot;
	uint32_t generation;
	unsigned slots_in_use; /* see census_slots_in_use */

	/* modules, each owned by its own _new and _free */
	struct poller *poller;
	struct sender *sender;
	struct uring *uring; /* the sender's; NULL: a system call for each send */
	struct deadlines *deadlines;
	struct auth *auth;
	struct authprovider *authprovider;
	uint64_t first_expiry_ms; /* see gateway/admission */
	struct audiences *audiences;
	struct fanout *fanout;
	struct publisher *publisher;
	struct recent *recent;
	struct peers *peers;
	struct routes *routes; /* these four: gateway/switchboard */
	struct calls *calls;
	struct jobs *jobs;
	struct kept *kept;
	uint64_t mailed[5]; /* bit i: slot i was sent mail in this turn, see post_wake */
	struct reloads *reloads;
	struct catchup *catchup;
	struct stuck_frames *stuck;
	struct deflate *deflate; /* the codec of all connections */
	struct tls_context *tls; /* of new connections; NULL: they speak without */
	struct tickets *tickets;

	/* the position of all connections that are not catching up: the last event, and its `at` */
	uint64_t level_seq;
	uint64_t level_at_ms;

	/* told of each connection that is about to end: parting_note */
	void (*on_parting)(struct connection *connection, enum ledger_cause cause, uint16_t code,
	    const char *reason);

	/* connections: all of them, those with output to flush, those to free after this turn */
	struct list connections;
	struct byid by_id; /* those that are open */
	struct list dirty;
	struct list dirty_end; /* marks how far a turn goes */
	struct list graveyard;
	/* what connections borrow while bytes of theirs are under way; see gateway/traffic */
	struct traffic *spare_traffic;
	unsigned spare_traffic_count;
	/* answers under way: all of them, whichever connection waits */
	struct list pendings;

	char host[65];	       /* what hello-ok calls this machine */
	const int *listen_fds; /* where clients connect; the supervisor's */
	unsigned listen_count;
	char *read_buffer; /* GATEWAY_READ_BYTES, shared by all connections */
	struct buf text;  /* a result under construction; valid until the next message is handled */
	struct buf reply; /* a frame under construction; valid until it is queued */
	/* whose pages may read the HTTP response that is written now; empty: nobody's but ours */
	struct span allowed_origin;
	struct buf inflated;	  /* the message that is being handled, where it came compressed */
	struct buf deflated;	  /* a compressed frame; valid until it is queued */
	uint64_t close_seen;	  /* directory_close_requests as last acted on */
	struct log_limit hostile; /* bounds what is logged about hostile clients */
	struct log_limit crowd;	  /* and how many are told why they may not come */
	struct log_limit crowd_lines; /* and how many of those have a line in the ledger */
	unsigned refused; /* connections alive that are only told that there are too many */
	bool draining;
};
