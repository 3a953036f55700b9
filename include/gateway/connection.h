/*
 * One client's socket: reading, writing, ending.
 *
 * A connection knows bytes, not their meaning.  What the bytes mean is decided by its handler, which
 * changes during its life: HTTP first, then WebSocket.  Input flows from the socket to the handler,
 * output from the handler through a buffer that exists only while the kernel does not take it all.
 *
 *	accept ──▶ OPEN ──connection_close──▶ CLOSING ──flushed, peer done, or time up──▶ freed
 *
 * connection_close is the only way to end one.  Memory is freed after the turn of the event loop in
 * which the connection ended, so a pointer held by a caller further up the stack stays readable.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/span.h"
#include "bus/ledger.h"
#include "bus/visitors.h"
#include "gateway/byid.h"
#include "gateway/deadlines.h"
#include "gateway/limits.h"
#include "gateway/traffic.h"
#include "proto/frame.h"
#include "sys/sockets.h"
#include "sys/stream.h"

struct answer_sink;
struct asking;
struct audience;
struct connection;
struct exchange;
struct gateway;
struct hello;
struct identity;
struct offering;
struct stuck_frame;

enum connection_state {
	CONNECTION_OPEN,
	CONNECTION_CLOSING, /* nothing more is queued; input is read only for the peer's goodbye */
	CONNECTION_DEAD,    /* off all lists, descriptor closed, memory waits in the graveyard */
};

/* What a connection's bytes mean.  All callbacks run inside the event loop. */
struct connection_handler {
	/*
	 * Bytes arrived.  Returns how many of them it took; the rest is kept and comes again in
	 * front of later bytes.  May change the bytes that it takes (unmasking), may change the
	 * handler, may close the connection; must return 0 when it needs more input or when the
	 * connection is paused.  There is connection->traffic for as long as it runs.
	 */
	size_t (*on_data)(struct connection *connection, char *data, size_t len);
	/* A deadline other than DEADLINE_CLOSE has passed. */
	void (*on_expired)(struct connection *connection, enum deadline_kind kind);
	/* The end has begun: forget the connection.  Nothing may be queued on it any more. */
	void (*on_closing)(struct connection *connection);
	/*
	 * The kernel took all output that there was, and may take more.  NULL: of no interest.
	 * May queue, send and close.
	 */
	void (*on_drained)(struct connection *connection);
	/* Bytes arrived while the connection is closing.  True: the peer has said goodbye. */
	bool (*on_goodbye)(struct connection *connection, char *data, size_t len);
};

struct connection {
	struct byid_link by_id;
	struct list link;  /* gateway.connections, later gateway.graveyard */
	struct list dirty; /* gateway.dirty while output waits for the end of the turn */
	struct deadline deadline;
	struct gateway *gateway;
	const struct connection_handler *handler;
	struct traffic *traffic; /* bytes under way; NULL while there are none */
	struct stream stream;
	uint32_t id;	 /* connId; 0 for one that was refused for want of room */
	uint32_t events; /* what the poller watches at present */
	enum connection_state state;
	uint8_t
	    ends_by; /* enum ledger_cause of the end that an HTTP answer brings; 0: its status says */
	bool framed;	  /* output is WebSocket frames, so a Close frame ends it */
	bool deflate;	  /* permessage-deflate was negotiated */
	bool is_stream;	  /* output is Server-Sent Events */
	bool local;	  /* came over run/gateway.sock */
	bool greeted;	  /* how its TLS handshake ended was counted, or there is none */
	bool cleartext;	  /* the peer does not speak TLS where it should */
	bool paused;	  /* the handler wants no input at present */
	bool known;	  /* to the sender's ring */
	bool stalled;	  /* the kernel took less than it was given: it says when it takes more */
	bool blocked;	  /* past max_buffered_bytes: no input until the peer takes output */
	bool behind;	  /* had its share of this turn; the rest of in waits for the next */
	bool deaf;	  /* what the peer sends cannot be read any more */
	bool settled;	  /* how its opening ended was counted */
	bool peer_done;	  /* the peer closed, or answered our Close */
	bool half_closed; /* our side was shut down */
	bool subscribed_admin; /* counted in the gauge admin_subscribers */
	bool counted;	       /* counted in the gauge websockets */

	const struct answer_sink *answers; /* in which form they leave */
	struct exchange *exchange;	   /* an HTTP request under way; see gateway/exchange */

	/* the WebSocket handler's */
	void (*on_message)(struct connection *connection, struct span text, bool binary);

	/* the protocol's, from hello-ok on */
	struct identity *identity; /* who was let in, from then on; see gateway/admission */
	struct hello *hello;
	struct audience *audience;
	struct list member; /* the audience's members, while level with the worker */
	struct list lag;    /* else one of the lists of gateway/catchup */
	uint64_t seq;	    /* and the last event that was sent to it, or is held */
	uint64_t lag_since_ms;
	struct list pendings;	   /* answers that this connection waits for */
	struct asking *asking;	   /* its hello is put to a provider; NULL: it is not */
	struct offering *offering; /* what it provides; NULL: it never registered */
	uint64_t connected_at_ms;
	unsigned pending_count;
	unsigned bad_frames; /* in a row */
	uint32_t messages;   /* that came */

	uint32_t opening_bytes; /* that came before hello-ok, behind the upgrade */
	struct limits_bucket requests, published_bytes, pings;
	struct visitor visitor;
	struct socket_peer peer; /* or the client that it speaks for, see gateway/visit */
};

/*
 * Takes over the connected, non-blocking descriptor fd (also when it fails) and begins to read.
 * id is the connection's entry in the directory, 0 for none.  Returns the connection, which the
 * gateway's lists own, or NULL without memory.
 */
struct connection *connection_open(struct gateway *gateway, int fd, uint32_t id, bool local,
    const struct connection_handler *handler);

/*
 * Begins the end: tells the handler, queues a Close frame (code, reason) on a WebSocket, and frees the
 * connection once the output is taken and the peer has said goodbye, or after 2 s.  code 0 sends no
 * frame.  The reason goes to the log and, cut to 123 bytes, to the peer;
 * the cause goes to the ledger.  A second call is ignored.
 */
void connection_close(
    struct connection *connection, enum ledger_cause cause, uint16_t code, const char *reason);

/* As connection_close, but without waiting for anything: for a socket that is of no more use. */
void connection_abort(struct connection *connection, enum ledger_cause cause, const char *reason);

/* As connection_close with 1011: what the peer was to be sent cannot be put together, for want of memory. */
void connection_fail(struct connection *connection);

/* As connection_close for a peer that does not take its output: what waits is dropped first. */
void connection_close_slow(
    struct connection *connection, enum ledger_cause cause, const char *reason);

/*
 * As connection_close_slow, but now and without a Close frame: for one that can never be sent the rest of a
 * frame that was begun.
 */
void connection_drop_slow(struct connection *connection, const char *reason);

/* Stops handing input to the handler, and with it reading; connection_resume takes it up again. */
void connection_pause(struct connection *connection);
void connection_resume(struct connection *connection);

/*
 * Queues output that leaves at the end of this turn of the loop, so that answers to pipelined requests
 * leave together.  The bytes are copied.  On a connection that is not open they are dropped.
 */
void connection_queue(struct connection *connection, struct span bytes);

/* Queues one whole WebSocket frame. */
void connection_queue_frame(
    struct connection *connection, enum ws_opcode opcode, struct span payload);

/*
 * Sends what is queued already and then a run of whole frames, now, by one system call.  Nothing is
 * copied: returns how many bytes of the run the kernel took.  Where that is fewer than all, the caller
 * has the connection hold the frame in which they end, if they end inside one.  May end the connection,
 * then 0 is returned.
 */
size_t connection_send_run(struct connection *connection, struct span run) must_check;

/*
 * Whether the connection is open, is owed nothing and took all so far, so that somebody else may send a run of
 * whole frames by its stream, or to its socket where that is bare, and tells connection_note_sent what became of it
 * if that was not all of it.
 */
bool connection_is_clear(const struct connection *connection);

/*
 * The run of `len` bytes was sent with this result: as many bytes as the kernel, or the stream, took, or -errno.
 * Returns how many it took. May end the connection.
 */
size_t connection_note_sent(struct connection *connection, int result, size_t len) must_check;

/*
 * What is queued, where somebody else may send it to the socket, and tells connection_note_pushed what became of
 * it; empty where not. Valid until something is done to the connection.
 */
struct span connection_queued(const struct connection *connection);

/*
 * What connection_queued said was sent with this result: as many bytes as the kernel took, or -errno. Ends no
 * connection: what -errno means is found out by the next flush.
 */
void connection_note_pushed(struct connection *connection, int result);

/*
 * Takes over a reference to the frame of which all but the last `left` bytes (at least 1) were sent: the
 * rest goes out before anything else.  Only while nothing is queued and no other frame is held.  False: the
 * connection has ended.
 */
bool connection_hold_take(
    struct connection *connection, struct stuck_frame *frame, size_t left) must_check;

/* Sends what all connections have queued in this turn.  Called at the end of each turn. */
void connections_flush(struct gateway *gateway);

/* The callback for poller_new. */
void connection_on_ready(void *owner, uint32_t ready);

/* The callback for deadlines_new. */
void connection_on_deadline(struct deadline *deadline);
