/*
 * Reports are read from shared memory in one go; no other process is asked.
 */
#include "gateway/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "bus/ring.h"
#include "bus/roster.h"
#include "conf/conf.h"
#include "config.h"
#include "gateway/census.h"
#include "gateway/context.h"
#include "gateway/routes.h"
#include "gateway/secure.h"
#include "gateway/sender.h"
#include "bus/counters.h"
#include "bus/seats.h"
#include "bus/segment.h"
#include "sys/listener.h"

enum { DAY_S = 24 * 3600 };

const char *
report_status(const struct gateway *g)
{
	if (g->draining || census_is_stopping(g))
		return "stopping";
	return census_workers_serving(g) < census_workers_wanted(g) ? "degraded" : "healthy";
}

void
report_health(const struct gateway *g, struct jsonw *w)
{
	jsonw_key(w, "status");
	jsonw_cstr(w, report_status(g));
	jsonw_key(w, "version");
	jsonw_cstr(w, LURKBOT_VERSION);
	jsonw_key(w, "uptimeMs");
	jsonw_uint(w, census_uptime_ms(g));
	jsonw_key(w, "connections");
	jsonw_uint(w, census_websockets(g));
}

static void
write_worker(
    const struct gateway *g, unsigned slot, const struct roster_entry *entry, struct jsonw *w)
{
	uint64_t now_ms = clock_real_ms();

	jsonw_object(w);
	jsonw_key(w, "id");
	jsonw_uint(w, slot);
	jsonw_key(w, "pid");
	jsonw_int(w, entry->pid);
	jsonw_key(w, "state");
	jsonw_cstr(w, roster_state_name(entry->state));
	jsonw_key(w, "connections");
	jsonw_uint(w, counters_get(&segment_counters(g->segment, slot)->websockets));
	jsonw_key(w, "uptimeMs");
	jsonw_uint(w, now_ms > entry->started_real_ms ? now_ms - entry->started_real_ms : 0);
	jsonw_key(w, "restarts");
	jsonw_uint(w, entry->restarts);
	jsonw_object_end(w);
}

static void
write_ring(const struct gateway *g, struct jsonw *w)
{
	jsonw_key(w, "ring");
	jsonw_object(w);
	jsonw_key(w, "epoch");
	jsonw_cstr(w, ring_epoch(g->ring));
	jsonw_key(w, "seq");
	jsonw_uint(w, ring_head(g->ring));
	jsonw_key(w, "oldestSeq");
	jsonw_uint(w, ring_oldest(g->ring));
	jsonw_key(w, "bytes");
	jsonw_uint(w, ring_bytes_used(g->ring));
	jsonw_key(w, "capacity");
	jsonw_uint(w, ring_capacity(g->ring));
	jsonw_object_end(w);
}

static void
write_workers(const struct gateway *g, struct jsonw *w)
{
	jsonw_key(w, "workers");
	jsonw_array(w);
	for (unsigned slot = 0; slot < census_slots_in_use(g); slot++) {
		struct roster_entry entry;

		roster_get(g->roster, slot, &entry);
		if (entry.state != ROSTER_EMPTY)
			write_worker(g, slot, &entry, w);
	}
	jsonw_array_end(w);
}

static void
write_provider(const struct gateway *g, const struct providers_provider *provider, struct jsonw *w)
{
	char conn_id[9];

	snprintf(conn_id, sizeof(conn_id), "%08" PRIx32, provider->conn_id);
	jsonw_object(w);
	jsonw_key(w, "connId");
	jsonw_cstr(w, conn_id);
	jsonw_key(w, "worker");
	jsonw_uint(w, provider->slot);
	jsonw_key(w, "methods");
	routes_write_methods(g->routes, provider, w);
	jsonw_key(w, "concurrency");
	jsonw_uint(w, provider->concurrency);
	jsonw_key(w, "inFlight");
	jsonw_uint(w, seats_in_flight(g->providers, provider->row));
	jsonw_key(w, "registeredAt");
	jsonw_uint(w, provider->registered_ms);
	if (provider->description_len > 0) {
		jsonw_key(w, "description");
		jsonw_str(w, span_make(provider->description, provider->description_len));
	}
	jsonw_object_end(w);
}

static void
write_providers(const struct gateway *g, struct jsonw *w)
{
	const struct providers_copy *copy = routes_copy(g->routes);

	jsonw_key(w, "providers");
	jsonw_array(w);
	for (unsigned i = 0; i < copy->provider_count; i++)
		write_provider(g, &copy->providers[i], w);
	jsonw_array_end(w);
}

/* `ws://127.0.0.1:18789`, `wss://[::1]:18789`, `ws+unix:/run/x`. */
static void
write_listeners(const struct gateway *g, struct jsonw *w)
{
	char text[LISTENER_TEXT_MAX], url[LISTENER_TEXT_MAX + 8];

	jsonw_key(w, "listeners");
	jsonw_array(w);
	for (unsigned i = 0; i < g->listen_count; i++) {
		listener_text(g->listen_fds[i], text);
		(void)snprintf(url, sizeof(url), "%s%s%s", g->tls != NULL ? "wss" : "ws",
		    strncmp(text, "unix:", 5) == 0 ? "+" : "://", text);
		jsonw_cstr(w, url);
	}
	jsonw_array_end(w);
}

void
report_details(const struct gateway *g, struct jsonw *w)
{
	struct roster_gateway all;

	roster_get_gateway(g->roster, &all);
	jsonw_key(w, "pid");
	jsonw_int(w, all.supervisor_pid);
	write_workers(g, w);
	write_ring(g, w);
	write_providers(g, w);
	write_listeners(g, w);
	if (g->tls != NULL) {
		jsonw_key(w, "certificateDaysLeft");
		jsonw_uint(w, secure_seconds_left(g) / DAY_S);
	}
	jsonw_key(w, "sender");
	jsonw_cstr(w, sender_name(g));
	if (g->conf->config_path != NULL) {
		jsonw_key(w, "configPath");
		jsonw_cstr(w, g->conf->config_path);
	}
}
