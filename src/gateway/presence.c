/*
 * Presence costs nothing while nobody asks for it: one sum over the workers' gauges.
 */
#include "gateway/presence.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/jsonw.h"
#include "bus/counters.h"
#include "gateway/census.h"
#include "gateway/context.h"
#include "gateway/publisher.h"
#include "proto/hello.h"

void
presence_count(struct connection *c)
{
	if (c->local || c->counted)
		return;
	c->counted = true;
	counters_add(&c->gateway->counters->websockets, 1);
}

void
presence_write_client(const struct connection *c, struct jsonw *w)
{
	const struct hello_client *client = &c->hello->client;

	jsonw_object(w);
	jsonw_key(w, "id");
	jsonw_str(w, client->id);
	if (client->display_name.n > 0) {
		jsonw_key(w, "displayName");
		jsonw_str(w, client->display_name);
	}
	jsonw_key(w, "version");
	jsonw_str(w, client->version);
	jsonw_key(w, "platform");
	jsonw_str(w, client->platform);
	jsonw_key(w, "mode");
	jsonw_cstr(w, hello_mode_name(client->mode));
	jsonw_object_end(w);
}

static void
announce(struct connection *c, struct span event)
{
	struct gateway *g = c->gateway;
	struct buf payload = { 0 };
	struct publication publication = { .event = event, .flags = RING_FLAG_ADMIN };
	struct jsonw w;
	char conn_id[9];

	if (c->local || census_admin_subscribers(g) == 0)
		return;
	snprintf(conn_id, sizeof(conn_id), "%08" PRIx32, c->id);
	jsonw_init(&w, &payload);
	jsonw_object(&w);
	jsonw_key(&w, "connId");
	jsonw_cstr(&w, conn_id);
	jsonw_key(&w, "client");
	presence_write_client(c, &w);
	jsonw_object_end(&w);
	publication.payload = buf_span(&payload);
	if (buf_status(&payload) == 0)
		publisher_announce(g, &publication);
	else
		publisher_lose(g, event, -ENOMEM);
	buf_fini(&payload);
}

void
presence_enter(struct connection *c)
{
	announce(c, SPAN("gateway.connected"));
}

void
presence_leave(struct connection *c)
{
	if (c->counted)
		counters_subtract(&c->gateway->counters->websockets, 1);
	c->counted = false;
	if (c->hello != NULL)
		announce(c, SPAN("gateway.disconnected"));
}
