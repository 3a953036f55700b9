/*
 * One row for each path.
 */
#include "gateway/endpoints.h"

#include <string.h>

#include "base/jsonw.h"
#include "base/macros.h"
#include "conf/conf.h"
#include "config.h"
#include "gateway/census.h"
#include "gateway/context.h"
#include "gateway/metrics.h"
#include "gateway/report.h"

enum access { ACCESS_ALL, ACCESS_READ, ACCESS_METRICS /* as metrics_public says */ };

struct endpoint {
	const char *path;
	enum access access;
	void (*run)(
	    struct gateway *g, const struct http_head *head, struct endpoint_answer *answer);
};

static struct jsonw
begin(struct gateway *g)
{
	struct jsonw w;

	jsonw_init(&w, &g->text);
	jsonw_object(&w);
	return w;
}

static void
finish(struct gateway *g, struct jsonw *w)
{
	jsonw_object_end(w);
	buf_append_cstr(&g->text, "\n");
}

static void
write_checks(const struct gateway *g, struct jsonw *w)
{
	unsigned serving = census_workers_serving(g), wanted = census_workers_wanted(g);

	jsonw_key(w, "checks");
	jsonw_object(w);
	jsonw_key(w, "workers");
	jsonw_object(w);
	jsonw_key(w, "ok");
	jsonw_bool(w, serving >= wanted);
	jsonw_key(w, "serving");
	jsonw_uint(w, serving);
	jsonw_key(w, "wanted");
	jsonw_uint(w, wanted);
	jsonw_object_end(w);
	jsonw_key(w, "accepting");
	jsonw_bool(w, !g->draining && !census_is_stopping(g));
	jsonw_object_end(w);
}

static void
run_health(struct gateway *g, const struct http_head *head, struct endpoint_answer *answer)
{
	const char *status = report_status(g);
	struct jsonw w = begin(g);

	(void)head;
	jsonw_key(&w, "status");
	jsonw_cstr(&w, status);
	jsonw_key(&w, "version");
	jsonw_cstr(&w, LURKBOT_VERSION);
	jsonw_key(&w, "uptime_seconds");
	jsonw_uint(&w, census_uptime_ms(g) / 1000);
	jsonw_key(&w, "connections");
	jsonw_uint(&w, census_websockets(g));
	jsonw_key(&w, "workers");
	jsonw_uint(&w, census_workers_serving(g));
	if (strcmp(status, "healthy") != 0)
		write_checks(g, &w);
	if (strcmp(status, "stopping") == 0)
		answer->status = 503;
	finish(g, &w);
}

static void
run_live(struct gateway *g, const struct http_head *head, struct endpoint_answer *answer)
{
	struct jsonw w = begin(g);

	(void)head;
	(void)answer;
	jsonw_key(&w, "alive");
	jsonw_bool(&w, true);
	finish(g, &w);
}

/* A worker that can answer is ready, also while another one is missing. */
static void
run_ready(struct gateway *g, const struct http_head *head, struct endpoint_answer *answer)
{
	bool ready = !g->draining && !census_is_stopping(g);
	struct jsonw w = begin(g);

	(void)head;
	jsonw_key(&w, "ready");
	jsonw_bool(&w, ready);
	write_checks(g, &w);
	if (!ready)
		answer->status = 503;
	finish(g, &w);
}

static void
run_info(struct gateway *g, const struct http_head *head, struct endpoint_answer *answer)
{
	struct jsonw w = begin(g);

	(void)head;
	(void)answer;
	jsonw_key(&w, "name");
	jsonw_cstr(&w, "LurkBot Gateway");
	jsonw_key(&w, "version");
	jsonw_cstr(&w, LURKBOT_VERSION);
	jsonw_key(&w, "protocol_version");
	jsonw_uint(&w, 1);
	jsonw_key(&w, "connections");
	jsonw_uint(&w, census_websockets(g));
	jsonw_key(&w, "features");
	jsonw_object(&w);
	jsonw_key(&w, "websocket");
	jsonw_bool(&w, true);
	jsonw_key(&w, "metrics");
	jsonw_bool(&w, true);
	jsonw_object_end(&w);
	finish(g, &w);
}

static void
run_metrics(struct gateway *g, const struct http_head *head, struct endpoint_answer *answer)
{
	const struct http_header *accept = http_head_find(head, "Accept");
	bool open = accept != NULL && memmem(accept->value.p, accept->value.n,
					  "application/openmetrics-text", 28) != NULL;

	metrics_write(g, &g->text, open);
	answer->type = open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
			    : "text/plain; version=0.0.4; charset=utf-8";
}

static const struct endpoint endpoints[] = {
	{ "/", ACCESS_READ, run_info },
	{ "/health", ACCESS_ALL, run_health },
	{ "/info", ACCESS_READ, run_info },
	{ "/live", ACCESS_ALL, run_live },
	{ "/metrics", ACCESS_METRICS, run_metrics },
	{ "/ready", ACCESS_ALL, run_ready },
};

const struct endpoint *
endpoint_find(struct span path)
{
	for (size_t i = 0; i < ARRAY_LEN(endpoints); i++)
		if (span_is(path, endpoints[i].path))
			return &endpoints[i];
	return NULL;
}

bool
endpoint_is_public(const struct endpoint *endpoint, const struct gateway *g)
{
	switch (endpoint->access) {
	case ACCESS_ALL:
		return true;
	case ACCESS_READ:
		return false;
	case ACCESS_METRICS:
		return g->conf->gateway.metrics_public;
	}
	return false;
}

void
endpoint_run(const struct endpoint *endpoint, struct gateway *g, const struct http_head *head,
    struct endpoint_answer *answer)
{
	endpoint->run(g, head, answer);
}
