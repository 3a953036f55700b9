/*
 * The life of a client's socket.
 *
 * Invariants: a connection stands on gateway.connections until it is CONNECTION_DEAD, then on the
 * graveyard; `events` always says what the poller watches for; output leaves in the order in which it was
 * queued; one that is not open keeps its traffic until it is buried.
 */
#include "gateway/connection.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "bus/counters.h"
#include "bus/directory.h"
#include "conf/conf.h"
#include "gateway/causes.h"
#include "gateway/context.h"
#include "gateway/exchange.h"
#include "gateway/poller.h"
#include "gateway/secure.h"
#include "gateway/stuck.h"
#include "proto/frame.h"
#include "sys/sockets.h"
#include "sys/uring.h"

enum {
	/* What one peer may have handled before the others have their turn. */
	MESSAGES_EACH_TURN = 64,
};

/* One that is told that there are too many takes nobody's place; nor does the operator. */
static bool
is_counted(const struct connection *c)
{
	return c->id != 0 && !c->local;
}

static bool
has_output(const struct connection *c)
{
	return traffic_owed(c->traffic) > 0 || stream_owes(&c->stream);
}

/* Only where nobody up the stack looks at it any more. */
static void
end_traffic(struct connection *c)
{
	if (c->traffic == NULL || c->state != CONNECTION_OPEN || !traffic_is_over(c->traffic))
		return;
	traffic_return(c->gateway, c->traffic);
	c->traffic = NULL;
}

static void
connection_kill(struct connection *c)
{
	struct gateway *g = c->gateway;

	if (c->state == CONNECTION_DEAD)
		return;
	c->state = CONNECTION_DEAD;
	if (poller_watch(g->poller, c->stream.fd, c->events, 0, c) == 0)
		c->events = 0;
	if (c->known && g->uring != NULL)
		uring_forget(g->uring, c->stream.fd);
	deadline_clear(&c->deadline);
	traffic_release_held(g, c->traffic);
	list_remove(&c->dirty);
	list_remove(&c->link);
	list_append(&g->graveyard, &c->link);
	stream_close(&c->stream);
	visitors_leave(g->visitors, &c->visitor);
	counters_add(&g->counters->closed, 1);
	if (is_counted(c))
		counters_subtract(&g->counters->connections, 1);
	if (c->id == 0)
		g->refused--;
}

/* What is watched for follows from the state alone; called after every change of it. */
static void
update_events(struct connection *c)
{
	uint32_t want = 0;

	if (c->state == CONNECTION_DEAD)
		return;
	if ((!c->paused && !c->blocked && !c->behind) || c->state == CONNECTION_CLOSING)
		want |= POLLER_READ;
	if (c->peer_done)
		want &= ~(uint32_t)POLLER_READ;
	if (c->stalled || (has_output(c) && list_is_empty(&c->dirty) && stream_is_open(&c->stream)))
		want |= POLLER_WRITE;
	if (poller_watch(c->gateway->poller, c->stream.fd, c->events, want, c) < 0)
		connection_abort(c, LEDGER_INTERNAL, "it cannot be watched");
	else
		c->events = want;
}

/* Nothing waits any more: see whether that ends a closing connection. */
static void
on_flushed(struct connection *c)
{
	if (c->state != CONNECTION_CLOSING)
		return;
	if (c->peer_done) {
		connection_kill(c);
	} else if ((!c->framed || c->deaf) && !c->half_closed) {
		/* An immediate close would reset the peer and could take the answer with it. */
		c->half_closed = stream_end(&c->stream);
		c->stalled = !c->half_closed;
	}
}

/* What is owed, then the run. Returns how many bytes were taken, or -errno. */
static ssize_t
send_with(struct connection *c, struct span run)
{
	bool is_all = false;
	ssize_t n = traffic_write(c->gateway, c->traffic, &c->stream, run, &is_all);

	if (n > 0)
		counters_add(&c->gateway->counters->bytes_out, (uint64_t)n);
	if (n == -ENODATA || n == -ENOMEM)
		connection_drop_slow(c, "Too slow: an event that was taken in part is gone");
	c->stalled = n >= 0 && !is_all && stream_is_open(&c->stream);
	return n;
}

/*
 * Gives the handler what there is until it takes no more, or has had its share of this turn; returns how much
 * it took.
 */
static size_t
feed(struct connection *c, char *data, size_t len)
{
	size_t used = 0;
	unsigned left = MESSAGES_EACH_TURN;

	c->behind = false;
	while (used < len && c->state == CONNECTION_OPEN && !c->paused && !c->blocked) {
		size_t n;

		if (left-- == 0) {
			c->behind = true;
			if (list_is_empty(&c->dirty))
				list_append(&c->gateway->dirty, &c->dirty);
			break;
		}
		n = c->handler->on_data(c, data + used, len - used);
		if (n == 0)
			break;
		used += n;
	}
	return used;
}

/* Bytes that came behind what made us close: the peer's goodbye may be among them. */
static void
hear_goodbye(struct connection *c, char *data, size_t len)
{
	if (len == 0 || c->state != CONNECTION_CLOSING || c->peer_done)
		return;
	c->peer_done = c->handler->on_goodbye(c, data, len);
	if (!has_output(c))
		on_flushed(c);
}

static void
feed_kept(struct connection *c)
{
	struct buf *in = &c->traffic->in;
	size_t used = feed(c, in->data, in->len);

	hear_goodbye(c, in->data + used, in->len - used);
	buf_consume(in, c->state == CONNECTION_OPEN ? used : in->len);
}

/* By TLS a peer can end without its socket, of which no event tells. What it said before comes first. */
static bool
has_left(const struct connection *c)
{
	bool is_unread = c->state == CONNECTION_OPEN && (c->paused || c->blocked || c->behind);

	return !c->peer_done && !is_unread && stream_has_ended(&c->stream);
}

/* A peer that shut down its side may still read what waits for it. */
static void
hear_end(struct connection *c)
{
	c->peer_done = true;
	connection_close(c, LEDGER_VANISHED, 0, "the peer closed the connection");
}

/* Hands over what was kept, when nothing stands in the way any more. */
static void
continue_input(struct connection *c)
{
	if (c->state == CONNECTION_OPEN && !c->paused && !c->blocked && c->traffic != NULL &&
	    c->traffic->in.len > 0)
		feed_kept(c);
	if (c->state == CONNECTION_OPEN && has_left(c))
		hear_end(c);
	update_events(c);
}

/* The kernel took n bytes of what is owed. */
static void
note_taken(struct connection *c, size_t n)
{
	(void)traffic_settle(c->gateway, c->traffic, n, c->framed);
	/* One that gets no ping, or whose pong is not read, shows by taking output that it lives. */
	if (n > 0 && (c->blocked || !list_is_empty(&c->lag)) &&
	    (c->deadline.kind == DEADLINE_PING || c->deadline.kind == DEADLINE_PONG))
		deadline_set(c->gateway->deadlines, &c->deadline, DEADLINE_PING, clock_mono_ms());
}

/* Sends what waits, as far as the kernel takes it; false when that ended the connection. */
static bool
push(struct connection *c)
{
	ssize_t n = send_with(c, SPAN(""));

	if (n < 0)
		connection_abort(c, cause_of_stream((int)n), stream_why(&c->stream, (int)n));
	else
		note_taken(c, (size_t)n);
	return n >= 0;
}

static void
flush(struct connection *c)
{
	size_t limit = c->gateway->conf->gateway.max_buffered_bytes;

	if (has_output(c) && !c->stalled && !push(c))
		return;
	if (!has_output(c))
		on_flushed(c);
	if (c->state == CONNECTION_OPEN && !has_output(c) && c->handler->on_drained != NULL)
		c->handler->on_drained(c);
	if (c->state == CONNECTION_DEAD)
		return;
	/* Reading begins again at half the limit, so that one byte does not switch it each time. */
	if (traffic_queued(c->traffic) > limit)
		c->blocked = true;
	else if (traffic_queued(c->traffic) <= limit / 2)
		c->blocked = false;
	continue_input(c);
}

static void
take_input(struct connection *c, char *data, size_t len)
{
	struct buf *in = &c->traffic->in;

	if (c->state == CONNECTION_CLOSING) {
		hear_goodbye(c, data, len);
		return;
	}
	if (in->len == 0) {
		size_t used = feed(c, data, len);

		hear_goodbye(c, data + used, len - used);
		if (c->state == CONNECTION_OPEN && used < len)
			buf_append(in, data + used, len - used);
	} else {
		buf_append(in, data, len);
		if (buf_status(in) == 0)
			feed_kept(c);
	}
	if (buf_status(in) != 0)
		connection_fail(c);
}

/* Reading has left words of a handshake to be sent, or ended one that output has waited for. */
static void
go_on_writing(struct connection *c)
{
	if (stream_is_bare(&c->stream) || c->state == CONNECTION_DEAD)
		return;
	if (stream_owes(&c->stream))
		c->stalled = true;
	else if (has_output(c) && !c->stalled && list_is_empty(&c->dirty))
		flush(c);
}

static void
on_readable(struct connection *c)
{
	ssize_t n = secure_read(c->gateway, &c->stream, &c->greeted, &c->cleartext);

	if (n > 0) {
		counters_add(&c->gateway->counters->bytes_in, (uint64_t)n);
		if (traffic_need(c->gateway, &c->traffic))
			take_input(c, c->gateway->read_buffer, (size_t)n);
		else
			connection_abort(c, LEDGER_INTERNAL, "out of memory");
		if (!has_left(c))
			return;
		n = 0;
	}
	if (n == -EAGAIN)
		return;
	if (n < 0) {
		connection_abort(c, cause_of_stream((int)n), stream_why(&c->stream, (int)n));
		return;
	}
	hear_end(c);
	if (c->state == CONNECTION_CLOSING)
		flush(c);
}

void
connection_on_ready(void *owner, uint32_t ready)
{
	struct connection *c = owner;

	ready &= c->events;
	if ((ready & POLLER_WRITE) != 0) {
		c->stalled = false;
		flush(c);
	}
	if ((ready & c->events & POLLER_READ) != 0)
		on_readable(c);
	go_on_writing(c);
	update_events(c);
	end_traffic(c);
}

struct connection *
connection_open(
    struct gateway *g, int fd, uint32_t id, bool local, const struct connection_handler *handler)
{
	struct connection *c = mem_zalloc(sizeof(*c));

	if (c == NULL) {
		close(fd);
		return NULL;
	}
	c->gateway = g;
	c->greeted = local || g->tls == NULL;
	if (secure_open(g, &c->stream, fd, local) < 0) {
		stream_close(&c->stream);
		mem_free(c);
		return NULL;
	}
	c->id = id;
	c->local = local;
	c->handler = handler;
	c->connected_at_ms = clock_real_ms();
	socket_peer_get(fd, &c->peer);
	list_init(&c->dirty);
	list_init(&c->member);
	list_init(&c->lag);
	list_init(&c->pendings);
	deadline_init(&c->deadline);
	deadline_set(g->deadlines, &c->deadline, DEADLINE_HANDSHAKE, clock_mono_ms());
	list_append(&g->connections, &c->link);
	counters_add(&g->counters->accepted, 1);
	if (is_counted(c))
		counters_add(&g->counters->connections, 1);
	if (id == 0)
		g->refused++;
	else
		byid_add(&g->by_id, &c->by_id, id);
	update_events(c);
	return c;
}

/* The common part of every end; true when this call is the one that begins it. */
static bool
begin_end(struct connection *c, enum ledger_cause cause, uint16_t code, const char *reason)
{
	if (c->state != CONNECTION_OPEN)
		return false;
	c->gateway->on_parting(c, cause, code, reason);
	c->state = CONNECTION_CLOSING;
	/* From here on nobody finds it by its id, though the socket may linger. */
	byid_remove(&c->gateway->by_id, &c->by_id);
	if (c->id != 0)
		directory_release(c->gateway->directory, c->id);
	/* What was received stays until the burial: somebody up the stack may still read it. */
	c->handler->on_closing(c);
	return true;
}

void
connection_close(struct connection *c, enum ledger_cause cause, uint16_t code, const char *reason)
{
	if (!begin_end(c, cause, code, reason))
		return;
	if (!traffic_need(c->gateway, &c->traffic)) {
		connection_kill(c);
		return;
	}
	if (c->framed && code != 0) {
		frame_append_close(&c->traffic->out, code, span_cstr(reason));
		if (buf_status(&c->traffic->out) != 0) {
			connection_kill(c);
			return;
		}
	}
	deadline_set(c->gateway->deadlines, &c->deadline, DEADLINE_CLOSE, clock_mono_ms());
	list_remove(&c->dirty);
	flush(c);
}

void
connection_abort(struct connection *c, enum ledger_cause cause, const char *reason)
{
	begin_end(c, cause, 0, reason);
	connection_kill(c);
}

void
connection_fail(struct connection *c)
{
	/* What could not be appended is missing as a whole: what stands there can still be sent. */
	if (c->traffic != NULL)
		c->traffic->out.failed = false;
	connection_close(c, LEDGER_INTERNAL, 1011, "The gateway is out of memory");
}

void
connection_drop_slow(struct connection *c, const char *reason)
{
	if (!begin_end(c, LEDGER_STUCK, 1013, reason))
		return;
	counters_add(&c->gateway->counters->slow_closed, 1);
	connection_kill(c);
}

void
connection_pause(struct connection *c)
{
	c->paused = true;
	update_events(c);
}

void
connection_resume(struct connection *c)
{
	c->paused = false;
	continue_input(c);
	/* Whoever is up the stack may look at the bytes still: the end of the turn finds out what is left. */
	if (c->state == CONNECTION_OPEN && list_is_empty(&c->dirty))
		list_append(&c->gateway->dirty, &c->dirty);
}

void
connection_queue(struct connection *c, struct span bytes)
{
	if (c->state != CONNECTION_OPEN)
		return;
	if (traffic_need(c->gateway, &c->traffic))
		buf_append_span(&c->traffic->out, bytes);
	if (c->traffic == NULL || buf_status(&c->traffic->out) != 0) {
		connection_fail(c);
		return;
	}
	if (list_is_empty(&c->dirty) && !c->stalled)
		list_append(&c->gateway->dirty, &c->dirty);
	/* Answers pile up inside one turn too: the handler stops at the limit. */
	if (traffic_queued(c->traffic) > c->gateway->conf->gateway.max_buffered_bytes)
		c->blocked = true;
}

size_t
connection_send_run(struct connection *c, struct span run)
{
	ssize_t n;

	if (c->state != CONNECTION_OPEN || c->stalled)
		return 0;
	n = send_with(c, run);
	if (n < 0) {
		connection_abort(c, cause_of_stream((int)n), stream_why(&c->stream, (int)n));
		return 0;
	}
	n = (ssize_t)traffic_settle(c->gateway, c->traffic, (size_t)n, c->framed);
	if (c->stalled)
		update_events(c);
	return (size_t)n;
}

bool
connection_is_clear(const struct connection *c)
{
	return c->state == CONNECTION_OPEN && !c->stalled && !has_output(c);
}

size_t
connection_note_sent(struct connection *c, int result, size_t len)
{
	if (socket_is_full(-result))
		result = 0;
	if (result < 0) {
		connection_abort(c, cause_of_stream(result), stream_why(&c->stream, result));
		return 0;
	}
	c->stalled = (size_t)result < len || stream_owes(&c->stream);
	update_events(c);
	return (size_t)result;
}

struct span
connection_queued(const struct connection *c)
{
	bool is_alone = c->state == CONNECTION_OPEN && !c->stalled &&
			traffic_queued(c->traffic) > 0 && c->traffic->held == NULL &&
			stream_is_bare(&c->stream);

	return is_alone ? buf_span(&c->traffic->out) : SPAN("");
}

void
connection_note_pushed(struct connection *c, int result)
{
	if (result < 0)
		return; /* the flush that follows finds out why */
	counters_add(&c->gateway->counters->bytes_out, (uint64_t)result);
	c->stalled = (size_t)result < traffic_queued(c->traffic);
	note_taken(c, (size_t)result);
}

bool
connection_hold_take(struct connection *c, struct stuck_frame *frame, size_t left)
{
	if (!traffic_need(c->gateway, &c->traffic)) {
		stuck_frame_unref(c->gateway->stuck, frame);
		connection_abort(c, LEDGER_INTERNAL, "out of memory");
		return false;
	}
	c->traffic->held = frame;
	c->traffic->held_left = left;
	update_events(c);
	return c->state == CONNECTION_OPEN;
}

void
connections_flush(struct gateway *g)
{
	struct list *first;

	/*
	 * A flush can take up input again and queue more: that waits for the next turn, or a peer that reads as
	 * fast as it asks would keep the loop to itself.
	 */
	list_append(&g->dirty, &g->dirty_end);
	while ((first = list_first(&g->dirty)) != &g->dirty_end) {
		struct connection *c = container_of(first, struct connection, dirty);

		list_remove(first);
		flush(c);
		end_traffic(c);
	}
	list_remove(&g->dirty_end);
}

void
connection_on_deadline(struct deadline *deadline)
{
	struct connection *c = container_of(deadline, struct connection, deadline);

	if (deadline->kind == DEADLINE_CLOSE)
		connection_kill(c);
	else
		c->handler->on_expired(c, deadline->kind);
}
