/*
 * The gateway about itself.
 */
#include "gateway/method_health.h"

#include "base/jsonw.h"
#include "gateway/census.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/report.h"

/* Begins a result object in the gateway's text buffer. */
static struct jsonw
begin(const struct answer *to)
{
	struct buf *text = &to->connection->gateway->text;
	struct jsonw w;

	buf_reset(text);
	jsonw_init(&w, text);
	jsonw_object(&w);
	return w;
}

static void
finish(const struct answer *to, struct jsonw *w)
{
	jsonw_object_end(w);
	if (buf_status(w->out) != 0)
		answer_no_memory(to);
	else
		answer_result(to, buf_span(w->out));
}

void
method_health(const struct answer *to, const struct envelope *frame)
{
	const struct gateway *g = to->connection->gateway;
	struct jsonw w = begin(to);

	(void)frame;
	report_health(g, &w);
	jsonw_key(&w, "workers");
	jsonw_uint(&w, census_workers_serving(g));
	finish(to, &w);
}

void
method_status(const struct answer *to, const struct envelope *frame)
{
	const struct gateway *g = to->connection->gateway;
	struct jsonw w = begin(to);

	(void)frame;
	report_health(g, &w);
	report_details(g, &w);
	finish(to, &w);
}
