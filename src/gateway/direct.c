/*
 * A mail is the connection's id and then the event's text. What an event may cost its receiver is bounded as all
 * that it is sent is: who takes nothing is closed.
 */
#include "gateway/direct.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/jsonw.h"
#include "bus/counters.h"
#include "bus/directory.h"
#include "bus/mailbox.h"
#include "conf/conf.h"
#include "conf/scope.h"
#include "gateway/byid.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/identity.h"
#include "gateway/message.h"
#include "gateway/peers.h"
#include "gateway/publisher.h"
#include "proto/sse.h"

/* --- delivering ------------------------------------------------------------------------------ */

/* What is sent to this client alone; without the scope read no event comes. */
static struct connection *
find_receiver(struct gateway *g, uint32_t id)
{
	struct byid_link *link = byid_find(&g->by_id, id);
	struct connection *c = link != NULL ? container_of(link, struct connection, by_id) : NULL;

	if (c == NULL || c->audience == NULL || !identity_has(c->identity, SCOPE_READ))
		return NULL;
	return c;
}

/* Whether it has taken enough of what came before; else that was its end. */
static bool
has_room(struct connection *c, size_t len)
{
	uint64_t limit = c->gateway->conf->gateway.max_buffered_bytes;

	if (traffic_queued(c->traffic) + len <= limit)
		return true;
	/* What was queued in this turn it was not offered yet. */
	(void)!connection_send_run(c, SPAN(""));
	if (c->state == CONNECTION_OPEN && traffic_queued(c->traffic) > limit)
		connection_close_slow(
		    c, LEDGER_UNREAD, "Too slow: events sent to it alone were not taken");
	return c->state == CONNECTION_OPEN;
}

static void
queue_sse(struct connection *c, struct span text)
{
	struct buf event = { 0 };

	/* Without an id the client's position stays. */
	sse_append(&event, SPAN(""), SPAN(""), 0, text);
	if (buf_status(&event) == 0)
		connection_queue(c, buf_span(&event));
	else
		connection_fail(c);
	buf_fini(&event);
}

static void
deliver(struct gateway *g, uint32_t id, struct span text)
{
	struct connection *c = find_receiver(g, id);

	if (c == NULL || !has_room(c, text.n)) {
		counters_add(&g->counters->directed_lost, 1);
		return;
	}
	counters_add(&g->counters->deliveries, 1);
	if (c->is_stream)
		queue_sse(c, text);
	else
		message_queue(c, WS_TEXT, text);
}

void
direct_on_mail(struct gateway *g, const struct mail *mail)
{
	uint32_t id;

	if (mail->body.n < sizeof(id))
		return;
	memcpy(&id, mail->body.p, sizeof(id));
	deliver(g, id, span_skip(mail->body, sizeof(id)));
}

/* --- publishing ------------------------------------------------------------------------------ */

/* Unique over all workers and their predecessors: a slot's counters outlive its process. */
static void
make_id(const struct gateway *g, char ret[DIRECT_ID_MAX])
{
	snprintf(ret, DIRECT_ID_MAX, "dir_%02x%08" PRIx32 "%08" PRIx64, g->slot, g->generation,
	    counters_get(&g->counters->events_directed));
}

static void
write_event(struct buf *out, const struct publication *p, const char *id)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object(&w);
	jsonw_key(&w, "id");
	jsonw_cstr(&w, id);
	jsonw_key(&w, "type");
	jsonw_cstr(&w, "event");
	jsonw_key(&w, "at");
	jsonw_uint(&w, clock_real_ms());
	jsonw_key(&w, "event");
	jsonw_str(&w, p->event);
	if (p->payload.n > 0) {
		jsonw_key(&w, "payload");
		jsonw_raw(&w, p->payload);
	}
	if (p->session_key.n > 0) {
		jsonw_key(&w, "sessionKey");
		jsonw_str(&w, p->session_key);
	}
	jsonw_object_end(&w);
}

int
direct_publish(
    struct gateway *g, uint32_t conn_id, const struct publication *p, char ret_id[DIRECT_ID_MAX])
{
	struct buf *mail = &g->reply;
	unsigned slot = 0;
	struct span text;
	int r = directory_find(g->directory, conn_id, &slot);

	if (r < 0)
		return r;
	make_id(g, ret_id);
	buf_reset(mail);
	buf_append(mail, &conn_id, sizeof(conn_id));
	write_event(mail, p, ret_id);
	if (buf_status(mail) != 0)
		return -ENOMEM;
	text = span_skip(buf_span(mail), sizeof(conn_id));
	if (text.n > g->conf->gateway.max_payload)
		return -EMSGSIZE;
	if (slot != g->slot)
		r = peers_post(g, slot, MAIL_EVENT, 0, buf_span(mail));
	else
		deliver(g, conn_id, text);
	if (r == 0)
		counters_add(&g->counters->events_directed, 1);
	return r;
}
