/*
 * The position that is told is the last event that this worker has delivered.
 */
#include "gateway/greeting.h"

#include <inttypes.h>
#include <stdio.h>

#include "bus/ring.h"
#include "config.h"
#include "gateway/connection.h"
#include "gateway/context.h"

bool
greeting_is_recovered(const struct gateway *g, const struct greeting_position *position)
{
	return position->is_given && span_is(position->epoch, ring_epoch(g->ring)) &&
	       position->seq <= ring_head(g->ring) && position->seq + 1 >= ring_oldest(g->ring);
}

void
greeting_write_server(const struct connection *c, struct jsonw *w)
{
	char conn_id[9];

	snprintf(conn_id, sizeof(conn_id), "%08" PRIx32, c->id);
	jsonw_key(w, "server");
	jsonw_object(w);
	jsonw_key(w, "version");
	jsonw_cstr(w, LURKBOT_VERSION);
	jsonw_key(w, "host");
	jsonw_cstr(w, c->gateway->host);
	jsonw_key(w, "connId");
	jsonw_cstr(w, conn_id);
	jsonw_object_end(w);
}

void
greeting_write_resume(const struct gateway *g, const struct greeting_position *position,
    bool recovered, struct jsonw *w)
{
	jsonw_key(w, "resume");
	jsonw_object(w);
	jsonw_key(w, "epoch");
	jsonw_cstr(w, ring_epoch(g->ring));
	jsonw_key(w, "seq");
	jsonw_uint(w, g->level_seq);
	if (position->is_given) {
		jsonw_key(w, "recovered");
		jsonw_bool(w, recovered);
	}
	jsonw_object_end(w);
}
