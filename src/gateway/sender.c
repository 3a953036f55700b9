/*
 * Two ways out behind one interface.
 *
 * io_uring is given only connections that are owed nothing and whose socket took all so far, each once in a
 * run; the others, and what a failing ring leaves, are sent to one by one. So the order of bytes is the same
 * either way, and what a socket did not take is known before anything else is sent to it.
 *
 * By TLS a run of one record is sealed for some connections, one after the other, and then sent to them: both are
 * long ways through code and memory, which would push each other out of the processor's caches.
 */
#include "gateway/sender.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "base/log.h"
#include "bus/counters.h"
#include "conf/conf.h"
#include "gateway/causes.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "sys/uring.h"

enum {
	SENDS_AT_ONCE = 1024,
	WORTH_IT = 2,	     /* with fewer, a system call each is not more */
	SEALED_AT_ONCE = 16, /* records that a cache has room for */
};

struct sender {
	struct span run;
	sender_fn on_short;
	bool is_many;
	unsigned count;
	struct connection
	    *waiting[SENDS_AT_ONCE]; /* count of them are given to the ring, not yet submitted */
	struct buf sealed;
	struct {
		struct connection *connection;
		size_t end; /* of what is for it, in `sealed` */
	} sealed_for[SEALED_AT_ONCE];
	unsigned sealed_count;
};

static unsigned
descriptor_limit(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (unsigned)min_u64(limit.rlim_cur, 1U << 20)
						     : SENDS_AT_ONCE;
}

int
sender_open(struct gateway *g)
{
	enum conf_sender choice = g->conf->gateway.sender;
	int r = 0;

	g->sender = mem_zalloc(sizeof(*g->sender));
	if (g->sender == NULL)
		return -ENOMEM;
	if (choice != SENDER_SEND)
		r = uring_open(SENDS_AT_ONCE, descriptor_limit(), &g->uring);
	if (r < 0 && choice == SENDER_IO_URING)
		return r;
	if (r < 0)
		log_info("io_uring is not to be had (%s): sending without", strerror(-r));
	return 0;
}

void
sender_close(struct gateway *g)
{
	uring_close(g->uring);
	g->uring = NULL;
	if (g->sender != NULL)
		buf_fini(&g->sender->sealed);
	mem_free(g->sender);
	g->sender = NULL;
}

const char *
sender_name(const struct gateway *g)
{
	return g->uring != NULL ? "io_uring" : "send";
}

/* --- one by one --------------------------------------------------------------------------- */

static void
send_one(struct sender *sender, struct connection *c)
{
	size_t sent = connection_send_run(c, sender->run);

	if (sent < sender->run.n)
		sender->on_short(c, sent);
}

/* --- sealed first ------------------------------------------------------------------------- */

/* What was sealed is taken whole, or the connection has ended. */
static void
send_sealed(struct gateway *g, struct connection *c, struct span bytes)
{
	struct sender *sender = g->sender;
	size_t len = sender->run.n, taken = len;
	int r = stream_send_sealed(&c->stream, bytes);

	if (r < 0 || stream_owes(&c->stream))
		taken = connection_note_sent(c, r < 0 ? r : (int)len, len);
	counters_add(&g->counters->bytes_out, taken);
	if (taken < len)
		sender->on_short(c, taken);
}

static void
send_all_sealed(struct gateway *g)
{
	struct sender *sender = g->sender;
	unsigned count = sender->sealed_count;
	size_t begin = 0;

	sender->sealed_count = 0;
	for (unsigned i = 0; i < count; i++) {
		size_t end = sender->sealed_for[i].end;

		send_sealed(g, sender->sealed_for[i].connection,
		    span_make(sender->sealed.data + begin, end - begin));
		begin = end;
	}
	buf_reset(&sender->sealed);
}

static bool
is_worth_sealing(const struct sender *sender, const struct connection *c)
{
	return sender->is_many && sender->run.n <= STREAM_SEALED_MAX &&
	       !stream_is_bare(&c->stream) && stream_is_open(&c->stream) && connection_is_clear(c);
}

static void
seal(struct gateway *g, struct connection *c)
{
	struct sender *sender = g->sender;
	int r = stream_seal(&c->stream, sender->run, &sender->sealed);

	if (r < 0) {
		/* Of what was sealed for the others nothing is missing. */
		sender->sealed.len =
		    sender->sealed_count > 0 ? sender->sealed_for[sender->sealed_count - 1].end : 0;
		sender->sealed.failed = false;
		connection_abort(c, cause_of_stream(r), stream_why(&c->stream, r));
		sender->on_short(c, 0);
		return;
	}
	sender->sealed_for[sender->sealed_count].connection = c;
	sender->sealed_for[sender->sealed_count++].end = sender->sealed.len;
	if (sender->sealed_count == SEALED_AT_ONCE)
		send_all_sealed(g);
}

/* --- together ----------------------------------------------------------------------------- */

/* Whether the ring knows the connection's socket, which it is told of when it is first of use. */
static bool
is_known(struct gateway *g, struct connection *c)
{
	if (!c->known && uring_know(g->uring, c->stream.fd) == 0)
		c->known = true;
	return c->known;
}

/* A send of the ring's did not go through whole. Returns the bytes of the run that are missing. */
static size_t
settle(struct sender *sender, struct connection *c, int result)
{
	size_t sent = connection_note_sent(c, result, sender->run.n);

	if (sent < sender->run.n)
		sender->on_short(c, sent);
	return sender->run.n - sent;
}

/* Fewer were taken than were given: the ring is of no more use. */
static void
give_up(struct gateway *g)
{
	log_warning("io_uring failed: sending without from now on");
	uring_close(g->uring);
	g->uring = NULL;
}

static void
submit(struct gateway *g)
{
	struct sender *sender = g->sender;
	unsigned count = sender->count, taken;
	uint64_t missing = 0;
	void *owner;
	int result;

	if (count == 0)
		return;
	sender->count = 0;
	taken = uring_submit(g->uring);
	while (uring_next(g->uring, &owner, &result))
		missing += settle(sender, owner, result);
	counters_add(&g->counters->bytes_out, (uint64_t)taken * sender->run.n - missing);
	if (taken == count)
		return;
	give_up(g);
	for (unsigned i = taken; i < count; i++)
		send_one(sender, sender->waiting[i]);
}

/* --- what each is owed ---------------------------------------------------------------------- */

/* Those that wait are sent what is queued for them. Each stands in `waiting` until it is told the outcome. */
static void
submit_queued(struct gateway *g)
{
	struct sender *sender = g->sender;
	unsigned count = 0, taken;
	void *owner;
	int result;

	for (unsigned i = 0; i < sender->count && sender->count >= WORTH_IT; i++) {
		struct connection *c = sender->waiting[i];

		if (!is_known(g, c))
			continue;
		sender->waiting[count] = c;
		uring_add(g->uring, c->stream.fd, connection_queued(c), &sender->waiting[count++]);
	}
	sender->count = 0;
	if (count == 0)
		return;
	taken = uring_submit(g->uring);
	while (uring_next(g->uring, &owner, &result)) {
		struct connection **at = owner;

		connection_note_pushed(*at, result);
		*at = NULL;
	}
	for (unsigned i = 0; i < taken; i++)
		if (sender->waiting[i] != NULL)
			connection_note_pushed(
			    sender->waiting[i], (int)connection_queued(sender->waiting[i]).n);
	if (taken < count)
		give_up(g);
}

void
sender_push(struct gateway *g)
{
	struct sender *sender = g->sender;

	for (struct list *at = g->dirty.next; at != &g->dirty && g->uring != NULL; at = at->next) {
		struct connection *c = container_of(at, struct connection, dirty);

		if (connection_queued(c).n == 0)
			continue;
		sender->waiting[sender->count++] = c;
		if (sender->count == SENDS_AT_ONCE)
			submit_queued(g);
	}
	if (g->uring != NULL)
		submit_queued(g);
}

/* --- a run to many ---------------------------------------------------------------------------- */

void
sender_begin(struct gateway *g, struct span run, unsigned count, sender_fn on_short)
{
	struct sender *sender = g->sender;

	sender->run = run;
	sender->on_short = on_short;
	sender->is_many = count >= WORTH_IT;
}

void
sender_send(struct gateway *g, struct connection *c)
{
	struct sender *sender = g->sender;

	if (is_worth_sealing(sender, c)) {
		seal(g, c);
		return;
	}
	if (g->uring == NULL || !sender->is_many || !stream_is_bare(&c->stream) ||
	    !connection_is_clear(c) || !is_known(g, c)) {
		send_one(sender, c);
		return;
	}
	uring_add(g->uring, c->stream.fd, sender->run, c);
	sender->waiting[sender->count++] = c;
	if (uring_room(g->uring) == 0)
		submit(g);
}

void
sender_end(struct gateway *g)
{
	send_all_sealed(g);
	submit(g);
}
