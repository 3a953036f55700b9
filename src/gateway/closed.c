/*
 * The ledger is read from its end. Lines that are written meanwhile come before the page; those that are
 * overwritten meanwhile are missing from it.
 */
#include "gateway/closed.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/jsonw.h"
#include "bus/ledger.h"
#include "gateway/causes.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "sys/sockets.h"

static void
write_text(struct jsonw *w, const char *key, const char *text)
{
	jsonw_key(w, key);
	jsonw_str(w, span_cstr(text));
}

static void
write_number(struct jsonw *w, const char *key, uint64_t number)
{
	jsonw_key(w, key);
	jsonw_uint(w, number);
}

/* Who it was, as far as it was said. */
static void
write_who(struct jsonw *w, const struct ledger_line *line)
{
	struct socket_peer peer = { .port = line->port, .family = line->family };
	char remote[SOCKET_TEXT_MAX];

	memcpy(peer.address, line->address, sizeof(peer.address));
	if (line->client_id[0] != '\0') {
		jsonw_key(w, "client");
		jsonw_object(w);
		write_text(w, "id", line->client_id);
		if (line->display_name[0] != '\0')
			write_text(w, "displayName", line->display_name);
		jsonw_object_end(w);
	}
	write_number(w, "worker", line->slot);
	if (line->family != AF_UNSPEC)
		write_text(w, "remote", socket_peer_text(&peer, remote));
}

/* How long it was there, and what passed; left out where nobody knows. */
static void
write_figures(struct jsonw *w, const struct ledger_line *line)
{
	if (line->connected_ms != 0) {
		write_number(w, "connectedAt", line->connected_ms);
		write_number(w, "ageMs",
		    line->closed_ms > line->connected_ms ? line->closed_ms - line->connected_ms
							 : 0);
		write_number(w, "messages", line->messages);
		write_number(w, "lag", line->lag);
	}
	write_number(w, "closedAt", line->closed_ms);
	if (line->bytes_in != LEDGER_NOT_KNOWN)
		write_number(w, "bytesIn", line->bytes_in);
	if (line->bytes_out != LEDGER_NOT_KNOWN)
		write_number(w, "bytesOut", line->bytes_out);
}

static void
write_line(struct jsonw *w, const struct ledger_line *line)
{
	const struct cause *cause = cause_at(line->cause);
	char conn_id[9];

	snprintf(conn_id, sizeof(conn_id), "%08" PRIx32, line->conn_id);
	jsonw_object(w);
	write_text(w, "connId", conn_id);
	write_who(w, line);
	write_figures(w, line);
	if (line->code != 0)
		write_number(w, "code", line->code);
	write_text(w, "cause", cause->name);
	if (cause->limit != NULL)
		write_text(w, "limit", cause->limit);
	write_text(w, "reason", line->reason);
	jsonw_object_end(w);
}

/* Writes the page; returns the number of the line before which the next one begins, 0: there is none. */
static uint64_t
write_page(struct jsonw *w, const struct ledger *ledger, const struct closed_question *question,
    size_t room)
{
	uint64_t oldest = ledger_oldest(ledger), number = ledger_last(ledger);
	uint32_t written = 0;

	if (question->before != 0 && question->before <= number)
		number = question->before - 1;
	for (; number >= oldest && number > 0; number--) {
		struct ledger_line line;
		size_t before = w->out->len;

		if (written == question->limit)
			return number + 1;
		if (!ledger_read(ledger, number, &line) ||
		    (question->conn_id != 0 && line.conn_id != question->conn_id))
			continue;
		if (written > 0 && before > room)
			return number + 1;
		write_line(w, &line);
		written++;
		if (question->conn_id != 0)
			break;
	}
	return 0;
}

void
closed_answer(const struct answer *to, const struct closed_question *question, size_t room)
{
	struct gateway *g = to->connection->gateway;
	struct jsonw w;
	uint64_t next;

	buf_reset(&g->text);
	jsonw_init(&w, &g->text);
	jsonw_object(&w);
	jsonw_key(&w, "connections");
	jsonw_array(&w);
	next = write_page(&w, g->ledger, question, room);
	jsonw_array_end(&w);
	if (next != 0) {
		char cursor[17];

		snprintf(cursor, sizeof(cursor), "%016" PRIx64, next);
		write_text(&w, "nextCursor", cursor);
	}
	jsonw_object_end(&w);
	if (buf_status(&g->text) != 0)
		answer_no_memory(to);
	else
		answer_result(to, buf_span(&g->text));
}
