/*
 * The life of a client's socket.
 *
 * Invariants: a connection stands on gateway.connections until it is CONNECTION_DEAD, then on the
 * graveyard; `events` always says what the event waits for; output leaves in the order in which it was
 * queued, and the head of `out` is never moved inside a frame without out_head_left knowing.
 */
#include "gateway/connection.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "bus/counters.h"
#include "bus/directory.h"
#include "conf/conf.h"
#include "gateway/context.h"
#include "gateway/stuck.h"
#include "proto/frame.h"
#include "proto/hello.h"
#include "sys/sockets.h"

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
	return c->held != NULL || c->out.len > 0;
}

static void
release_held(struct connection *c)
{
	if (c->held != NULL)
		stuck_frame_unref(c->gateway->stuck, c->held);
	c->held = NULL;
	c->held_left = 0;
}

static void
connection_kill(struct connection *c)
{
	struct gateway *g = c->gateway;

	if (c->state == CONNECTION_DEAD)
		return;
	c->state = CONNECTION_DEAD;
	if (c->events != 0)
		event_del(&c->event);
	c->events = 0;
	deadline_clear(&c->deadline);
	release_held(c);
	list_remove(&c->dirty);
	list_remove(&c->link);
	list_append(&g->graveyard, &c->link);
	close(c->fd);
	c->fd = -1;
	counters_add(&g->counters->closed, 1);
	if (is_counted(c))
		counters_subtract(&g->counters->connections, 1);
	if (c->id == 0)
		g->refused--;
}

/* What the event should wait for follows from the state alone; called after every change of it. */
static void on_event(evutil_socket_t fd, short what, void *arg);

static void
update_events(struct connection *c)
{
	short want = 0;

	if (c->state == CONNECTION_DEAD)
		return;
	if ((!c->paused && !c->blocked && !c->behind) || c->state == CONNECTION_CLOSING)
		want |= EV_READ;
	if (c->peer_done)
		want &= (short)~EV_READ;
	if (c->stalled || (has_output(c) && list_is_empty(&c->dirty)))
		want |= EV_WRITE;
	if (want == c->events)
		return;
	if (c->events != 0)
		event_del(&c->event);
	c->events = want;
	if (want == 0)
		return;
	if (event_assign(
		&c->event, c->gateway->base, c->fd, (short)(want | EV_PERSIST), on_event, c) != 0 ||
	    event_add(&c->event, NULL) != 0) {
		c->events = 0;
		connection_abort(c, "it cannot be watched");
	}
}

/* Says how much of the frame is left in which the first `sent` bytes of data end. */
static uint64_t
frame_left_after(uint64_t head_left, struct span frames, size_t sent)
{
	size_t at = 0;
	uint64_t left = head_left;

	while (at < sent) {
		uint64_t step;

		if (left == 0)
			left = frame_total(span_make(frames.p + at, frames.n - at));
		if (left == 0) /* no frame of ours: better drop nothing than count for ever */
			return frames.n - sent;
		step = left < sent - at ? left : sent - at;

		at += (size_t)step;
		left -= step;
	}
	return left;
}

/* Nothing waits any more: see whether that ends a closing connection. */
static void
on_flushed(struct connection *c)
{
	c->out_head_left = 0;
	buf_fini(&c->out);
	if (c->state != CONNECTION_CLOSING)
		return;
	if (c->peer_done) {
		connection_kill(c);
	} else if ((!c->framed || c->deaf) && !c->half_closed) {
		/* An immediate close would reset the peer and could take the answer with it. */
		c->half_closed = true;
		shutdown(c->fd, SHUT_WR);
	}
}

/* Sends `total` bytes in `count` parts; returns how many were taken, or -1 for a socket of no use. */
static ssize_t
send_parts(struct connection *c, struct iovec *parts, size_t count, size_t total)
{
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = count };
	ssize_t n;

	do
		n = count == 1 ? send(c->fd, parts->iov_base, total, MSG_NOSIGNAL | MSG_DONTWAIT)
			       : sendmsg(c->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS))
		n = 0;
	if (n > 0)
		counters_add(&c->gateway->counters->bytes_out, (uint64_t)n);
	c->stalled = n >= 0 && (size_t)n < total;
	return n;
}

static size_t
add_part(struct iovec *part, const char *data, size_t len)
{
	if (len == 0)
		return 0;
	*part = (struct iovec){ .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	return 1;
}

/* What is owed goes first: the rest of a frame, what is queued, then the run. */
static ssize_t
send_with(struct connection *c, struct span run)
{
	struct iovec parts[3];
	size_t count = 0;

	if (c->held != NULL)
		count +=
		    add_part(&parts[0], c->held->bytes + c->held->len - c->held_left, c->held_left);
	count += add_part(&parts[count], c->out.data, c->out.len);
	count += add_part(&parts[count], run.p, run.n);
	return count == 0 ? 0 : send_parts(c, parts, count, c->held_left + c->out.len + run.n);
}

/* Takes what was sent off what is owed; returns how much of it was none of that. */
static size_t
settle(struct connection *c, size_t sent)
{
	size_t of_held = min_size(sent, c->held_left);
	size_t of_out = min_size(sent - of_held, c->out.len);

	c->held_left -= of_held;
	if (c->held_left == 0)
		release_held(c);
	if (of_out < c->out.len) {
		if (c->framed && of_out > 0)
			c->out_head_left =
			    frame_left_after(c->out_head_left, buf_span(&c->out), of_out);
		buf_consume(&c->out, of_out);
	} else {
		c->out.len = 0;
		c->out_head_left = 0;
	}
	return sent - of_held - of_out;
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
	size_t used = feed(c, c->in.data, c->in.len);

	hear_goodbye(c, c->in.data + used, c->in.len - used);
	if (c->state != CONNECTION_OPEN || used == c->in.len)
		buf_fini(&c->in);
	else
		buf_consume(&c->in, used);
}

/* Hands over what was kept, when nothing stands in the way any more. */
static void
continue_input(struct connection *c)
{
	if (c->state == CONNECTION_OPEN && !c->paused && !c->blocked && c->in.len > 0)
		feed_kept(c);
	update_events(c);
}

/* Sends what waits, as far as the kernel takes it; false when that ended the connection. */
static bool
push(struct connection *c)
{
	ssize_t n = send_with(c, SPAN(""));

	if (n < 0) {
		connection_abort(c, strerror(errno));
		return false;
	}
	settle(c, (size_t)n);
	/* One that gets no ping, or whose pong is not read, shows by taking output that it lives. */
	if (n > 0 && (c->blocked || !list_is_empty(&c->lag)) &&
	    (c->deadline.kind == DEADLINE_PING || c->deadline.kind == DEADLINE_PONG))
		deadline_set(c->gateway->deadlines, &c->deadline, DEADLINE_PING, clock_mono_ms());
	return true;
}

static void
flush(struct connection *c)
{
	size_t limit = c->gateway->conf->gateway.max_buffered_bytes;

	if (has_output(c) && !push(c))
		return;
	if (!has_output(c))
		on_flushed(c);
	if (c->state == CONNECTION_OPEN && !has_output(c) && c->handler->on_drained != NULL)
		c->handler->on_drained(c);
	if (c->state == CONNECTION_DEAD)
		return;
	/* Reading begins again at half the limit, so that one byte does not switch it each time. */
	if (c->out.len > limit)
		c->blocked = true;
	else if (c->out.len <= limit / 2)
		c->blocked = false;
	continue_input(c);
}

static void
take_input(struct connection *c, char *data, size_t len)
{
	counters_add(&c->gateway->counters->bytes_in, len);
	if (c->state == CONNECTION_CLOSING) {
		hear_goodbye(c, data, len);
		return;
	}
	if (c->in.len == 0) {
		size_t used = feed(c, data, len);

		hear_goodbye(c, data + used, len - used);
		if (c->state == CONNECTION_OPEN && used < len)
			buf_append(&c->in, data + used, len - used);
	} else {
		buf_append(&c->in, data, len);
		if (buf_status(&c->in) == 0)
			feed_kept(c);
	}
	if (buf_status(&c->in) != 0)
		connection_fail(c);
}

static void
on_readable(struct connection *c)
{
	ssize_t n;

	do
		n = recv(c->fd, c->gateway->read_buffer, GATEWAY_READ_BYTES, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		take_input(c, c->gateway->read_buffer, (size_t)n);
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return;
	if (n < 0) {
		connection_abort(c, strerror(errno));
		return;
	}
	/* A peer that shut down its side may still read what waits for it. */
	c->peer_done = true;
	if (c->state == CONNECTION_OPEN)
		connection_close(c, 0, "the peer closed the connection");
	else
		flush(c);
}

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;

	(void)fd;
	if ((what & EV_WRITE) != 0) {
		c->stalled = false;
		flush(c);
	}
	if ((what & EV_READ) != 0 && (c->events & EV_READ) != 0)
		on_readable(c);
	update_events(c);
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
	c->fd = fd;
	c->id = id;
	c->local = local;
	c->handler = handler;
	c->connected_at_ms = clock_real_ms();
	socket_peer_text(fd, c->peer);
	wsrecv_init(&c->recv);
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
	update_events(c);
	return c;
}

/* The common part of every end; true when this call is the one that begins it. */
static bool
begin_end(struct connection *c, uint16_t code, const char *reason)
{
	if (c->state != CONNECTION_OPEN)
		return false;
	log_conn_debug(c->id, "closed (%u): %s; peer %s", code, reason, c->peer);
	counters_add(&c->gateway->counters->closes[counters_close_bucket(c->framed ? code : 0)], 1);
	c->state = CONNECTION_CLOSING;
	/* From here on nobody finds it by its id, though the socket may linger. */
	if (c->id != 0)
		directory_release(c->gateway->directory, c->id);
	/* What was received stays until the burial: somebody up the stack may still read it. */
	c->handler->on_closing(c);
	return true;
}

void
connection_close(struct connection *c, uint16_t code, const char *reason)
{
	if (!begin_end(c, code, reason))
		return;
	if (c->framed && code != 0) {
		frame_append_close(&c->out, code, span_cstr(reason));
		if (buf_status(&c->out) != 0) {
			connection_kill(c);
			return;
		}
	}
	deadline_set(c->gateway->deadlines, &c->deadline, DEADLINE_CLOSE, clock_mono_ms());
	list_remove(&c->dirty);
	flush(c);
}

void
connection_abort(struct connection *c, const char *reason)
{
	begin_end(c, 0, reason);
	connection_kill(c);
}

void
connection_fail(struct connection *c)
{
	/* What could not be appended is missing as a whole: what stands there can still be sent. */
	c->out.failed = false;
	connection_close(c, 1011, "The gateway is out of memory");
}

void
connection_close_slow(struct connection *c, const char *reason)
{
	if (c->state != CONNECTION_OPEN)
		return;
	/* The frame that was begun has to be finished, or the Close frame would be read as its bytes. */
	if (c->out_head_left < c->out.len)
		c->out.len = (size_t)c->out_head_left;
	counters_add(&c->gateway->counters->slow_closed, 1);
	connection_close(c, 1013, reason);
}

void
connection_drop_slow(struct connection *c, const char *reason)
{
	if (!begin_end(c, 1013, reason))
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
}

void
connection_queue(struct connection *c, struct span bytes)
{
	if (c->state != CONNECTION_OPEN)
		return;
	buf_append_span(&c->out, bytes);
	if (buf_status(&c->out) != 0) {
		connection_fail(c);
		return;
	}
	if (list_is_empty(&c->dirty) && !c->stalled)
		list_append(&c->gateway->dirty, &c->dirty);
	/* Answers pile up inside one turn too: the handler stops at the limit. */
	if (c->out.len > c->gateway->conf->gateway.max_buffered_bytes)
		c->blocked = true;
}

void
connection_queue_frame(struct connection *c, enum ws_opcode opcode, struct span payload)
{
	uint8_t header[FRAME_HEADER_MAX];
	size_t header_len = frame_header_write(header, opcode, true, payload.n, NULL);

	/* Both or neither: behind a header alone nothing else could be sent. */
	if (c->state == CONNECTION_OPEN)
		(void)buf_reserve(&c->out, header_len + payload.n);
	connection_queue(c, span_make((const char *)header, header_len));
	connection_queue(c, payload);
}

size_t
connection_send_run(struct connection *c, struct span run)
{
	ssize_t n;

	if (c->state != CONNECTION_OPEN || c->stalled)
		return 0;
	n = send_with(c, run);
	if (n < 0) {
		connection_abort(c, strerror(errno));
		return 0;
	}
	n = (ssize_t)settle(c, (size_t)n);
	if (c->stalled)
		update_events(c);
	return (size_t)n;
}

void
connection_hold_take(struct connection *c, struct stuck_frame *frame, size_t left)
{
	c->held = frame;
	c->held_left = left;
	update_events(c);
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
		list_remove(first);
		flush(container_of(first, struct connection, dirty));
	}
	list_remove(&g->dirty_end);
}

void
connections_bury(struct gateway *g)
{
	struct list *first;

	while ((first = list_first(&g->graveyard)) != NULL) {
		struct connection *c = container_of(first, struct connection, link);

		list_remove(first);
		deadline_clear(&c->deadline);
		wsrecv_fini(&c->recv);
		hello_free(c->hello);
		buf_fini(&c->in);
		buf_fini(&c->out);
		mem_free(c);
	}
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
