/*
 * The one place where the end of a connection is written down. The bytes are the kernel's own count of them,
 * which costs nothing until it is asked for.
 */
#include "gateway/parting.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "bus/counters.h"
#include "bus/ring.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "proto/hello.h"
#include "sys/sockets.h"
#include "sys/tcpinfo.h"

/* Refused for want of room, or of one address: a crowd must not wash all others out of the ledger. */
enum { CROWD_LINES_A_MINUTE = 60 };

static_assert(
    sizeof(((struct ledger_line *)0)->address) == sizeof(((struct socket_peer *)0)->address),
    "the same address");

uint64_t
parting_lag(const struct connection *c)
{
	uint64_t head, seq;

	if (c->audience == NULL)
		return 0;
	head = ring_head(c->gateway->ring);
	seq = list_is_empty(&c->lag) ? c->gateway->level_seq : c->seq;
	return head > seq ? head - seq : 0;
}

static bool
is_worth_a_line(struct connection *c, enum ledger_cause cause)
{
	unsigned suppressed;

	if (c->local || cause == LEDGER_HTTP)
		return false;
	if (cause != LEDGER_MAX_CONNECTIONS && cause != LEDGER_MAX_PER_IP &&
	    cause != LEDGER_MAX_HANDSHAKES)
		return true;
	return log_limit_pass(
	    &c->gateway->crowd_lines, clock_mono_ms(), CROWD_LINES_A_MINUTE, &suppressed);
}

static void
write_line(const struct connection *c, enum ledger_cause cause, uint16_t code, const char *reason)
{
	struct ledger_line line = {
		.conn_id = c->id,
		.slot = (uint16_t)c->gateway->slot,
		.code = c->framed ? code : 0,
		.cause = (uint8_t)cause,
		.messages = c->messages,
		.connected_ms = c->connected_at_ms,
		.closed_ms = clock_real_ms(),
		.bytes_in = LEDGER_NOT_KNOWN,
		.bytes_out = LEDGER_NOT_KNOWN,
		.lag = (uint32_t)min_u64(parting_lag(c), UINT32_MAX),
		.family = (uint8_t)c->peer.family,
		.port = c->peer.port,
	};

	if (tcpinfo_bytes(c->stream.fd, &line.bytes_in, &line.bytes_out) < 0)
		line.bytes_in = line.bytes_out = LEDGER_NOT_KNOWN;
	memcpy(line.address, c->peer.address, sizeof(line.address));
	if (c->hello != NULL) {
		ledger_set_text(line.client_id, sizeof(line.client_id), c->hello->client.id);
		ledger_set_text(
		    line.display_name, sizeof(line.display_name), c->hello->client.display_name);
	}
	ledger_set_text(line.reason, sizeof(line.reason), span_cstr(reason));
	ledger_write(c->gateway->ledger, &line);
}

void
parting_note(struct connection *c, enum ledger_cause cause, uint16_t code, const char *reason)
{
	struct counters *counters = c->gateway->counters;

	/* Whoever asked by HTTP, was answered, and left has done nothing that is worth a word. */
	if (cause == LEDGER_VANISHED && !c->framed)
		cause = LEDGER_HTTP;
	log_conn_debug(c->id, "closed (%u): %s; peer %s", code, reason,
	    socket_peer_text(&c->peer, (char[SOCKET_TEXT_MAX]){ 0 }));
	counters_add(&counters->closes[counters_close_bucket(c->framed ? code : 0)], 1);
	counters_add(&counters->closes_by_cause[cause], 1);
	if (is_worth_a_line(c, cause))
		write_line(c, cause, code, reason);
}
